"""The short forms of the campaigns: seconds each. They need the shim, and the normal build: a sanitizer brings an allocator
of its own, so whatever REFRACTR_BINARY says, these tests run build/refractr."""

import subprocess

import faults  # noqa: F401  (puts tests/ and tests/web on the path)
import pytest
import service


@pytest.fixture(scope="session", autouse=True)
def shim():
    subprocess.run(["make", "--no-print-directory", "all", "fault-shim"], cwd=service.ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module", autouse=True)
def normal_build():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "BINARY", service.ROOT / "build" / "refractr")
        yield
