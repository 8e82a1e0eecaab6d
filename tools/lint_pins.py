#!/usr/bin/env python3
"""Lint: every package that is installed by name is installed in one version, so that a build of today can be made again and
a new version comes in by a commit.

Debian packages are pinned by the release (the archive of Debian 12), Python packages by `name==version`, npm packages by
exact versions and, where a lock file lies beside, by its hashes. The libraries under clients/ name ranges: their users
choose. Prints one line per fault and exits 1 when there is any.

usage: tools/lint_pins.py [--help]
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ["*/requirements*.txt", "*/*/requirements*.txt", "eval/*.txt"]  # below the root, but for build/
PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==[\w.+]+$")
EXACT = re.compile(r"(npm:@?[\w./-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$")
INSTALL = re.compile(r"pip\S* install [^\n]*?(?<![\w./-])([A-Za-z][\w-]*)(==\S+)?\s*$")


def requirement_faults():
    for file in sorted({f for pattern in REQUIREMENTS for f in ROOT.glob(pattern)}):
        name = file.relative_to(ROOT)
        if name.parts[0].startswith("build"):
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            wanted = line.split("#")[0].strip()
            if wanted and not PINNED.match(wanted):
                yield f"{name}:{number}: {wanted} must name its version: name==version"


def npm_faults():
    for file in sorted(ROOT.glob("tests/**/package.json")):
        if "node_modules" in file.parts:
            continue
        package = json.loads(file.read_text())
        for kind in ("dependencies", "devDependencies", "optionalDependencies"):
            for name, version in package.get(kind, {}).items():
                if not EXACT.match(version):
                    yield f"{file.relative_to(ROOT)}: {name} must name one version, not {version}"


def lock_faults():
    for file in sorted(ROOT.glob("tests/**/package-lock.json")):
        if "node_modules" in file.parts:
            continue
        for name, package in json.loads(file.read_text())["packages"].items():
            if name and not package.get("link") and not package.get("integrity", "").startswith("sha512-"):
                yield f"{file.relative_to(ROOT)}: {name} has no sha512"


def install_faults():
    for file in sorted([ROOT / "Makefile", *ROOT.glob("mk/*.mk"), *ROOT.glob("tools/*.sh")]):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            found = INSTALL.search(line)
            if found and not found[2]:
                yield f"{file.relative_to(ROOT)}:{number}: installs {found[1]} without a version"


def main():
    if len(sys.argv) > 1:
        print(__doc__.strip())
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    faults = [*requirement_faults(), *npm_faults(), *lock_faults(), *install_faults()]
    print(*faults, f"lint: pins, {len(faults)} faults", sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
