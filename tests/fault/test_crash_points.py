"""Crash's short form: every stage once, killed at a call chosen by chance; without power, under each durability; and one of two
nodes on one PostgreSQL."""

import pytest
from crash import STAGES, Crash


@pytest.mark.parametrize("power, nodes", [("", 0), ("full", 0), ("normal", 0), ("", 2)])
def test_every_stage_once(tmp_path, power, nodes):
    crash = Crash(tmp_path, power, seconds=0.3, nodes=nodes)
    for _ in STAGES:
        crash.round()
    crash.stop()
    assert not crash.wrong
    assert sum(n for (_, how), n in crash.points.items() if how == "reached") >= len(STAGES) // 2
