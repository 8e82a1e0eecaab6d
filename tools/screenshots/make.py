#!/usr/bin/env python3
"""Pictures of every page into build/screenshots/: starts the program in a throw-away data folder, runs shoot.mjs, stops it.
Those the README shows are copied to docs/screenshots/.

usage: tools/screenshots/make.py [--out FOLDER] (or `make screenshots`)
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
IN_README = {"home.png": "home-desktop-dark.png", "playground.png": "playground-desktop-light.png", "dashboard.png": "dashboard-desktop-light.png"}
sys.path.insert(0, str(ROOT / "tests"))
from service import BINARY, MODEL, Service  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=ROOT / "build" / "screenshots", type=pathlib.Path, help="folder for the pictures")
    out = parser.parse_args().out.resolve()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(pathlib.Path(folder) / "data", "--model", str(MODEL), stub=False).start()
        try:
            environment = {**os.environ, "REFRACTR_URL": service.url, "REFRACTR_DATA": str(service.data), "REFRACTR_BINARY": str(BINARY)}
            subprocess.run(["node", ROOT / "tools" / "screenshots" / "shoot.mjs", out], env=environment, check=True)
        finally:
            service.stop()
    shown = ROOT / "docs" / "screenshots"
    shown.mkdir(exist_ok=True)
    for name, picture in IN_README.items():
        shutil.copy(out / picture, shown / name)


if __name__ == "__main__":
    main()
