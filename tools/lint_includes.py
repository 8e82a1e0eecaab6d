#!/usr/bin/env python3
"""Lint over src/: include directions, libraries each module may touch, functions nobody may call, length of files.

Dependencies point downwards only, so that a reader of one module knows what he need not read. Prints one line per fault
and exits 1 when there is any.

usage: tools/lint_includes.py [--help]
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

# module -> modules whose headers it may include ("a/b.h" allows one header). base/ and the module itself go unsaid.
ALLOWED = {
    "base": set(),
    "engine": set(),
    "store": set(),
    "access": {"store"},
    "account": {"store"},
    "job": {"store", "access", "engine"},
    "billing": {"store"},
    "webhook": {"store", "job"},
    "http": set(),
    "web": set(),
    "api": {"account", "billing", "webhook", "job", "access", "http", "web", "store", "engine/template.h", "engine/engine.h"},
    "cli": {"config.h", "account", "billing", "webhook", "api", "access", "job", "engine", "http", "store"},
    "config.c": {"config.h"},
    "config.h": set(),
    "main.c": {"cli", "config.h"},
}

# library header -> files (regular expression over the path below src/) that may include it
LIBRARIES = {
    r"microhttpd\.h": r"http/.*",
    r"(oneapi/dnnl/.*|dnnl.*\.h)": r"engine/(encoder|matmul).*\.[ch]",
    r"sqlite3\.h": r"store/sqlite.*\.[ch]",
    r"libpq-fe\.h": r"store/postgres.*\.[ch]",
    r"curl/.*": r"(engine/remote|billing/stripe|webhook/sender).*\.[ch]",
}

BANNED = {
    "strcpy": "snprintf",
    "strcat": "snprintf",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "fgets",
    "strtok": "strtok_r",
    "alloca": "malloc",
    "atoi": "strtol and a check",
    "atol": "strtol and a check",
    "system": "posix_spawn",
    "localtime": "localtime_r",
    "gmtime": "gmtime_r",
}
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
MAX_LINES = 900
GENERATED = re.compile(r".*(tables|assets_data)\.h$")


def module_of(path):
    """First folder below src/, or the file's own name for files in src/ itself."""
    return path.parts[0]


def include_fault(path, target):
    """What is wrong with `path` (below src/) including the project header `target`; None when nothing is."""
    module, wanted = module_of(path), Path(target).parts[0]
    if not (SRC / target).exists():
        return None if GENERATED.match(target) else f"includes {target}, which is not below src/"
    if wanted in (module, "base") or target in ALLOWED.get(module, ()) or wanted in ALLOWED.get(module, ()):
        if wanted != module and Path(target).stem.endswith("internal"):
            return f"includes another module's private header {target}"
        return None
    return f"{module} must not include {target}"


def library_fault(path, target):
    for header, files in LIBRARIES.items():
        if re.fullmatch(header, target) and not re.fullmatch(files, path.as_posix()):
            return f"must not include <{target}> (only {files})"
    return None


def strip_comments(text):
    """Comments and string literals become blanks; lines keep their numbers."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def faults_of(path):
    text = (SRC / path).read_text(encoding="utf-8")
    lines = text.splitlines()
    if len(lines) > MAX_LINES and not GENERATED.match(path.name):
        yield 1, f"{len(lines)} lines; {MAX_LINES} at most, split it"
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            fault = (library_fault if match[1] == "<" else include_fault)(path, match[2])
            if fault:
                yield number, fault
    for number, line in enumerate(strip_comments(text).splitlines(), 1):
        for match in BANNED_CALL.finditer(line):
            yield number, f"calls {match[1]}; use {BANNED[match[1]]}"


def main():
    if len(sys.argv) > 1:
        print(__doc__.strip())
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    files = sorted(p.relative_to(SRC) for p in SRC.rglob("*.[ch]"))
    count = 0
    for path in files:
        for number, fault in faults_of(path):
            print(f"src/{path}:{number}: {fault}")
            count += 1
    print(f"lint: {len(files)} files, {count} faults")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
