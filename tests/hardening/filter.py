#!/usr/bin/python3
"""Writes the seccomp filter of a systemd unit as a BPF program, for bwrap --seccomp: the system calls that its
SystemCallFilter= lines leave, sockets of its RestrictAddressFamilies= only, everything else EPERM.

usage: filter.py UNIT OUTPUT      needs python3-seccomp and systemd-analyze, which knows what the sets (@name) hold
"""

import re
import socket
import subprocess
import sys

import seccomp


def settings(unit, name):
    return [line.split("=", 1)[1].split() for line in open(unit, encoding="utf-8") if line.startswith(f"{name}=")]


def members(name):
    """The system calls of a set, and of the sets it names."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    words = [line.strip() for line in listed.splitlines()[1:]]
    return {call for word in words if re.fullmatch(r"@?\w[\w-]*", word) for call in members(word)}


def allowed(unit):
    calls = set()
    for first, *others in settings(unit, "SystemCallFilter"):
        for word in [first.removeprefix("~"), *others]:
            calls = calls - members(word) if first.startswith("~") else calls | members(word)
    return calls | members("@default")  # systemd allows these always


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    unit, output = sys.argv[1:]
    families = [getattr(socket, family) for row in settings(unit, "RestrictAddressFamilies") for family in row]
    rules = seccomp.SyscallFilter(seccomp.ERRNO(1))  # EPERM
    for call in allowed(unit) - {"socket"}:
        try:
            rules.add_rule(seccomp.ALLOW, call)
        except RuntimeError:
            pass  # a system call of another architecture
    for family in families:
        rules.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, family))
    with open(output, "wb") as file:
        rules.export_bpf(file)


if __name__ == "__main__":
    main()
