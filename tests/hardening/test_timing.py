"""The short form of `make timing`: the time of a refusal does not tell how much of a key is right."""

import re
import subprocess

from service import ROOT


def test_near_keys_take_the_time_of_unknown_ones():
    built = subprocess.run(["make", "--no-print-directory", "build/timing/key_timing"], cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    done = subprocess.run([ROOT / "tools" / "timing.sh", "5000"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    told = dict(re.findall(r"^(near|right) +less unknown .*: (\w+)$", done.stdout.split("over HTTP")[0], re.M))
    assert told == {"near": "indistinguishable", "right": "distinguishable"}, "a measurement that sees no difference at all shows nothing"
    assert len(re.findall(r"Welch's t", done.stdout)) == 6, "by the function and over HTTP"
