"""The short forms of the campaigns: seconds each. They need the shim, and the normal build: a sanitizer brings an allocator
of its own, so whatever REFRACTR_BINARY says, these tests run build/refractr."""

import subprocess

import faults
import pytest
import service


@pytest.fixture(scope="session", autouse=True)
def shim():
    subprocess.run(["make", "--no-print-directory", "all", "fault-shim"], cwd=service.ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(autouse=True)
def normal_build(monkeypatch):
    for module in (service, faults):
        monkeypatch.setattr(module, "BINARY", service.ROOT / "build" / "refractr", raising=False)
