"""refractr doctor asks every upstream by itself, and needs no model of its own where only upstreams answer."""

import sys

import pytest
from service import ROOT, command

sys.path.insert(0, str(ROOT / "tests" / "api"))
from test_doctor import doctor, said  # noqa: E402


@pytest.fixture
def data(tmp_path):
    command("account", "create", "patient", data=tmp_path / "data")
    return tmp_path / "data"


def test_each_is_asked(data, make_upstream, tmp_path):
    good, wrong, dead = make_upstream(), make_upstream(canary="broken"), make_upstream()
    gone = dead.url
    dead.stop()
    urls = f"{good.url},{wrong.url},{gone}"
    findings = doctor(data, "--engine", "remote", "--upstream", urls, "--upstream-timeout-ms", "3000", "--model", str(tmp_path / "none"))
    assert said(findings, "fine", "upstreams", f"{good.url} answers, in")
    assert said(findings, "FAULT", "upstreams", f"{wrong.url} does not answer as it should")
    assert said(findings, "FAULT", "upstreams", f"{gone} does not answer as it should")
    assert not any(f[1] == "model" for f in findings)


def test_none_is_named(data, tmp_path):
    findings = doctor(data, "--engine", "auto", "--model", str(tmp_path / "none"))
    assert said(findings, "FAULT", "upstreams", "none is named") and said(findings, "FAULT", "model", "No model in")


def test_key_file_open_to_others(data, make_upstream, tmp_path):
    (tmp_path / "key").write_text("sk-of-the-upstream\n")
    (tmp_path / "key").chmod(0o644)
    upstream = make_upstream(key="sk-of-the-upstream")
    findings = doctor(data, "--engine", "remote", "--upstream", upstream.url, "--upstream-key-file", str(tmp_path / "key"))
    assert said(findings, "warning", "settings", "others can read it") and said(findings, "fine", "upstreams", "answers")
    assert "sk-of-the-upstream" not in str(findings)
