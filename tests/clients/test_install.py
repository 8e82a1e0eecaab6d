"""Both clients install from the source tree by the ordinary tool, where nothing else is installed."""

import subprocess
import sys

from service import ROOT


def run(*arguments, cwd):
    done = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_pip_installs_the_python_client_without_pydantic(tmp_path):
    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "--quiet", ROOT / "clients/python", cwd=tmp_path)
    told = run(python, "-c", "import refractr, importlib.util as u, importlib.resources as r;"
               "print(refractr.__version__, u.find_spec('pydantic'), r.files('refractr').joinpath('py.typed').is_file());"
               "refractr.Refractr('dm_test').close()", cwd=tmp_path)
    assert told == "0.1.0 None True"


def test_npm_installs_the_javascript_client_from_the_folder(tmp_path):
    (tmp_path / "package.json").write_text('{"name": "user", "private": true, "type": "module"}')
    run("npm", "install", "--no-audit", "--no-fund", "--install-links", ROOT / "clients/javascript", cwd=tmp_path)
    told = run("node", "--input-type=module", "-e",
               "import { Refractr } from 'refractr'; console.log(typeof new Refractr({ apiKey: 'dm_test' }).extract)", cwd=tmp_path)
    assert told == "function"
    installed = sorted(p.name for p in (tmp_path / "node_modules").iterdir() if p.name[0] != ".")
    assert installed == ["refractr"]
