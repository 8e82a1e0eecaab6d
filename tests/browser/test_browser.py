"""The pages in a real browser: starts the program, then runs each *.test.mjs with Node's test runner against it.

Skipped, with the reason printed, where Chromium or the npm packages are missing (`make deps-browser` installs both)."""

import os
import pathlib
import shutil
import subprocess

import pytest
from service import BINARY

HERE = pathlib.Path(__file__).parent
FILES = sorted(p.name for p in HERE.glob("*.test.mjs"))
SECONDS = 420


def needs():
    """What is missing, or None."""
    browser = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not pathlib.Path(browser).exists():
        return f"{browser} is not there; run make deps-browser"
    if not shutil.which("node"):
        return "node is not installed; run make deps-browser"
    if not (HERE / "node_modules" / "playwright-core").exists():
        return "the npm packages of tests/browser are not installed; run make deps-browser"
    return None


@pytest.mark.parametrize("name", FILES)
def test_in_browser(name, model_service):
    missing = needs()
    if missing:
        pytest.skip(missing)
    _, key = model_service.account(name=f"browser {name}")
    environment = {
        **os.environ, "REFRACTR_URL": model_service.url, "REFRACTR_KEY": key, "REFRACTR_DATA": str(model_service.data),
        "REFRACTR_BINARY": str(BINARY),
    }
    done = subprocess.run(["node", "--test", "--test-reporter=spec", name], cwd=HERE, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
