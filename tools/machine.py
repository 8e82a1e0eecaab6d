"""The name of the machine that a figure was measured on. Called by the benchmarks here and by eval/rivals.py."""
import os
from pathlib import Path


def processor():
    """-> "NAME, N cores"."""
    names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else 'unnamed processor'}, {os.cpu_count()} cores"
