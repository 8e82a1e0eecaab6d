"""The pages in a real browser: starts the program, then runs each *.test.mjs with Node's test runner against it.

Skipped, with the reason printed, where Chromium or the npm packages are missing (`make deps-browser` installs both)."""

import os
import pathlib
import shutil
import subprocess

import pytest
from service import BINARY, MODEL, UNLIMITED, Service, free_port

HERE = pathlib.Path(__file__).parent
FILES = sorted(p.name for p in HERE.glob("*.test.mjs"))
SECONDS = 420
STRIPE_SECRET = "whsec_of_the_stripe_double"


def missing():
    """What the tests lack, or None."""
    browser = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not pathlib.Path(browser).exists():
        return f"{browser} is not there; run make deps-browser"
    if not shutil.which("node"):
        return "node is not installed; run make deps-browser"
    if not (HERE / "node_modules" / "playwright-core").exists():
        return "the npm packages of tests/browser are not installed; run make deps-browser"
    if not (MODEL / "model.safetensors").exists():
        return f"the model is not there: {MODEL}"
    return None


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A service with the real model that sells credits through the Stripe double (stripe_double.mjs) on `stripe_port`."""
    if missing():
        pytest.skip(missing())
    folder = tmp_path_factory.mktemp("shop")
    (folder / "key").write_text("sk_test_of_the_stripe_double")
    (folder / "secret").write_text(STRIPE_SECRET)
    port = free_port()
    s = Service(folder / "data", *UNLIMITED, "--model", str(MODEL), "--demo-limit", "100000", "--stripe-key-file", str(folder / "key"),
                "--stripe-webhook-secret-file", str(folder / "secret"), "--stripe-base-url", f"http://127.0.0.1:{port}",
                "--webhook-allow-private", stub=False).start()
    s.stripe_port = port
    yield s
    s.stop()


@pytest.mark.parametrize("name", FILES)
def test_in_browser(name, shop):
    _, key = shop.account(name=f"browser {name}")
    environment = {
        **os.environ, "REFRACTR_URL": shop.url, "REFRACTR_KEY": key, "REFRACTR_DATA": str(shop.data), "REFRACTR_BINARY": str(BINARY),
        "REFRACTR_STRIPE_PORT": str(shop.stripe_port), "REFRACTR_STRIPE_SECRET": STRIPE_SECRET,
    }
    done = subprocess.run(["node", "--test", "--test-reporter=spec", name], cwd=HERE, env=environment, capture_output=True, text=True,
                          timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
