"""Where everything comes from: the bill of materials and the lint that keeps versions pinned."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from service import ROOT


@pytest.fixture(scope="module")
def bill(tmp_path_factory):
    if not shutil.which("dpkg"):
        pytest.skip("not a Debian: there are no packages to list")
    file = tmp_path_factory.mktemp("sbom") / "sbom.json"
    done = subprocess.run([sys.executable, ROOT / "tools" / "sbom.py", file], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return file.read_text()


def test_it_is_cyclonedx(bill):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None


def test_it_holds_what_the_program_is_made_of(bill):
    components = json.loads(bill)["components"]
    inside = {c["name"]: c for c in components if c["scope"] == "required"}
    for name in ("libmicrohttpd12", "libjansson4", "libsqlite3-0", "libsodium23", "libc6", "zlib1g", "uthash-dev", "python3-zxcvbn"):
        assert name in inside and inside[name]["version"] and inside[name]["purl"].startswith(f"pkg:deb/debian/{name}@"), name
    assert any(name.startswith("libdnnl") for name in inside) and any(name.startswith("libcurl") for name in inside)
    config = json.loads((ROOT / "models" / "refractr-mini" / "config.json").read_text())
    assert inside[config["name"]]["hashes"] == [{"alg": "SHA-256", "content": config["sha256"]}]
    excluded = {c["name"]: c for c in components if c["scope"] == "excluded"}
    assert excluded["pytest"]["version"] in (ROOT / "tests" / "requirements.txt").read_text()
    assert excluded["playwright-core"]["hashes"][0]["alg"] == "SHA-512"


def test_every_data_set_has_a_licence(bill):
    mix = json.loads((ROOT / "train" / "mix.json").read_text())
    sets = {c["name"]: c for c in json.loads(bill)["components"] if c["type"] == "data"}
    assert all(c["licenses"][0]["license"]["name"] for c in sets.values())
    covers = lambda name: name in sets or any(s.endswith("*") and name.startswith(s[:-1]) for s in sets)
    assert [name for name in mix if name != "generator" and not covers(name)] == []


def test_the_lint_sees_what_is_not_pinned(tmp_path):
    for name in ("tools/lint_pins.py", "tests/requirements.txt", "eval/rivals.txt", "Makefile", "tests/browser/package.json",
                 "tests/browser/package-lock.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    lint = lambda: subprocess.run([sys.executable, tmp_path / "tools" / "lint_pins.py"], capture_output=True, text=True)
    assert lint().returncode == 0, lint().stdout
    (tmp_path / "tests/requirements.txt").write_text("requests\nnumpy>=2\n")
    package = tmp_path / "tests/browser/package.json"
    package.write_text(re.sub(r'"axe-core": "', '"axe-core": "^', package.read_text()))
    lock = tmp_path / "tests/browser/package-lock.json"
    lock.write_text(lock.read_text().replace('"integrity": "sha512-', '"integrity": "sha1-', 1))
    (tmp_path / "Makefile").write_text("x:\n\tpython3 -m pip install --quiet leftpad\n")
    told = lint()
    assert told.returncode == 1
    for fault in ("requests must name", "numpy>=2 must name", "axe-core must name one version", "has no sha512", "installs leftpad"):
        assert fault in told.stdout, told.stdout
