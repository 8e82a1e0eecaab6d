"""Crash's short form: every stage once, killed at a call chosen by chance; and without power, under each durability."""

import pytest
from crash import STAGES, Crash


@pytest.mark.parametrize("power", ["", "full", "normal"])
def test_every_stage_once(tmp_path, power):
    crash = Crash(tmp_path, power, seconds=0.3)
    for _ in STAGES:
        crash.round()
    crash.stop()
    assert not crash.wrong
    assert sum(n for (_, how), n in crash.points.items() if how == "reached") >= len(STAGES) // 2
