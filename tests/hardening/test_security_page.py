"""SECURITY.md names a test for every promise: each must be there, so that no promise outlives its test."""

import re

import pytest
from service import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()


def named():
    """(file, test or title) of every mention; a name alone belongs to the file named last before it."""
    for line in PAGE.splitlines():
        file = None
        for path, test, alone, title in re.findall(r'`(tests/[\w./]+)(?:::(\w+))?`|`(\w+)`|"([^"]+)"', line):
            file = path or file
            if path and not test:
                yield path, ""
            elif test or (file and alone and not file.endswith(".mjs")):
                yield file, test or alone
            elif title and file and file.endswith(".mjs"):
                yield file, title


@pytest.mark.parametrize("file, test", sorted(set(named())))
def test_it_is_there(file, test):
    text = (ROOT / file).read_text()
    pattern = {".py": rf"^def {test}\(", ".c": rf"^static void {test}\(", ".mjs": rf"^test\('{re.escape(test)}"}["." + file.split(".")[-1]]
    assert not test or re.search(pattern, text, re.M), f"{file} has no test {test}"


def test_enough_is_named():
    assert len(set(named())) > 50
