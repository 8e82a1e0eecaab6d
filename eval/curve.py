"""Draws training runs: python eval/curve.py runs/mini/log.jsonl [OTHER.jsonl ...] --out curve.png

Reads the log train.py writes (one JSON object a line: minutes, tokens, loss, and now and then held_out_loss, held_out_exact)
and draws loss and held-out scores over minutes of training, one colour per run.
"""
import argparse
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend is chosen first)

PANELS = (("loss", "training loss (running mean)"), ("held_out_loss", "held-out loss"),
          ("held_out_exact", "held-out scalars, start and end right"))


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("logs", nargs="+", help="log.jsonl of each run, or the run's folder")
    p.add_argument("--out", default="curve.png", help="the picture (default %(default)s)")
    p.add_argument("--over", choices=("minutes", "tokens", "step"), default="minutes", help="horizontal axis (default %(default)s)")
    return p.parse_args()


def read(path):
    """The log's lines; a last one cut short by a running writer is left out."""
    path = Path(path)
    path = path / "log.jsonl" if path.is_dir() else path
    if not path.exists():
        sys.exit(f"{path}: no such log. Give a run's folder or its log.jsonl.")
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def main():
    args = options()
    figure, axes = plt.subplots(1, len(PANELS), figsize=(4 * len(PANELS), 3))
    for path in args.logs:
        lines = read(path)
        name = Path(path).parent.name if Path(path).suffix else Path(path).name
        for axis, (key, title) in zip(axes, PANELS):
            points = [(d[args.over], d[key]) for d in lines if key in d]
            axis.plot(*zip(*points) if points else ([], []), "-" if key == "loss" else "o-", ms=3, lw=1.2, label=name)
            axis.set(title=title, xlabel=args.over)
            axis.title.set_fontsize(9)
            axis.grid(color="0.92")
            if key == "loss":
                axis.set_yscale("log")
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(args.out, dpi=90)
    print(args.out)


if __name__ == "__main__":
    main()
