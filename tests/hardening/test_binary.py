"""What the compiler and the linker were told to harden, read from the normal build's program and objects."""

import platform
import re
import subprocess

import pytest
from service import ROOT

BUILD = ROOT / "build"


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *map(str, arguments)], capture_output=True, text=True, check=True).stdout


def objects():
    return sorted((BUILD / "src").rglob("*.o"))


@pytest.fixture(scope="module")
def program():
    assert (BUILD / "refractr").exists(), "run make first"
    return BUILD / "refractr"


def test_its_code_lies_anywhere(program):
    """PIE: the addresses differ at each start."""
    assert re.search(r"Type: +DYN", readelf("-h", program)) and re.search(r"Flags: .*\bPIE\b", readelf("-d", program))


def test_tables_of_the_linker_are_read_only(program):
    """RELRO with everything bound at the start: no function pointer in them can be overwritten."""
    assert "GNU_RELRO" in readelf("-l", program) and re.search(r"Flags: .*\bNOW\b", readelf("-d", program))
    assert "TEXTREL" not in readelf("-d", program)


def test_nothing_is_both_writable_and_executable(program):
    segments = re.findall(r"^ +(\w+) +0x\S+ 0x\S+ 0x\S+ 0x\S+ 0x\S+ (.{3}) ", readelf("-l", program), re.M)
    assert ("GNU_STACK", "RW ") in segments, segments
    assert [name for name, flags in segments if "W" in flags and "E" in flags] == []


def test_functions_watch_their_stack(program):
    """-fstack-protector-strong: functions with an array on their stack check it before they return. Which have one cannot be
    read from an object; nearly all objects that write text do."""
    write_text = [o for o in objects() if "snprintf" in readelf("-s", o)]
    watched = [o for o in write_text if "__stack_chk_fail" in readelf("-s", o)]
    assert len(write_text) > 20 and len(watched) >= 0.9 * len(write_text), sorted(o.name for o in set(write_text) - set(watched))


def test_library_calls_know_their_buffers(program):
    """FORTIFY: calls whose buffer's size is known were replaced by their checking forms."""
    checked = set(re.findall(r"__(\w+)_chk@", readelf("--dyn-syms", program)))
    assert {"memcpy", "snprintf", "vsnprintf", "fread"} <= checked, checked
    assert "-D_FORTIFY_SOURCE=3" in (ROOT / "Makefile").read_text()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="CET belongs to x86-64")
def test_jumps_land_where_they_may():
    """CET: every object is marked for indirect branch tracking and shadow stacks. (The program as a whole is not: Debian's
    C library starts programs by code without the marks, so the kernel does not enforce them there.)"""
    assert len(objects()) > 70
    assert [o.name for o in objects() if not re.search(r"IBT, SHSTK", readelf("-n", o))] == []


def test_libraries_come_from_the_system_only(program):
    dynamic = readelf("-d", program)
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic
