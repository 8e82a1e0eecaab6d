"""Compares base encoders at equal training time: python compare.py --minutes 30   (`make train-compare MINUTES=30`)

Trains each candidate from its packaged weights with one recipe, seed and number of minutes (train.py), one after another, then
asks eval/quick.py; both are resumable, so a comparison that was stopped goes on. Candidates are names of bases.py, with :N for N of
their layers; those of one number of layers have one inference cost. Prints a table as markdown. Run it on a quiet machine.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("candidates", nargs="*", default=["minilm", "bge-small:6", "e5-small:6", "bge-small", "e5-small"],
                   help="NAME or NAME:LAYERS (default: %(default)s)")
    p.add_argument("--minutes", type=float, default=30, help="training time of each (default %(default)s)")
    p.add_argument("--runs", type=Path, default=HERE.parent / "build/runs", help="where the runs lie (default build/runs)")
    p.add_argument("--data", default=HERE.parent.parent / "shared/data", help="folder with train/ (default ../shared/data)")
    p.add_argument("--rate", type=float, default=2e-4, help="peak learning rate (default %(default)s)")
    p.add_argument("--tokens", type=int, default=2560, help="padded tokens a step and worker (default %(default)s)")
    return p.parse_args()


def trained(candidate, args):
    """Trains one candidate to its end. -> the run's folder"""
    name, _, layers = candidate.partition(":")
    out = args.runs / f"compare-{args.minutes:g}-{candidate.replace(':', '-')}"
    command = [sys.executable, "train.py", "--data", args.data, "--out", out, "--base", name, "--minutes", args.minutes,
               "--rate", args.rate, "--tokens", args.tokens, *(["--layers", layers] if layers else [])]
    subprocess.run(list(map(str, command)), cwd=HERE, check=True, stdout=sys.stderr)
    return out


def scored(out, args):
    """The line of eval/quick.py on the run's averaged weights; kept beside them."""
    path = out / "quick.txt"
    if not path.exists():
        done = subprocess.run([sys.executable, HERE.parent / "eval/quick.py", "--model", out / "model", "--data", args.data,
                               "--lines", "40", "--generator", "120"], check=True, capture_output=True, text=True)
        path.write_text(done.stdout)
    return path.read_text().strip().replace(" | ", "; ")  # a cell of the table


def products(config):
    """Multiply-adds of one word piece in the encoder's products, in millions (attention over the window left out)."""
    h, inner = config["hidden_size"], config["intermediate_size"]
    return config["num_hidden_layers"] * (4 * h * h + 2 * h * inner) / 1e6


def main():
    args = options()
    print("| base | layers | million multiply-adds a piece | million pieces seen | held-out exact, single fields | quick.py |\n|---|---|---|---|---|---|")
    for candidate in args.candidates:
        out = trained(candidate, args)
        config = json.loads((out / "model/config.json").read_text())
        log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        exact = [line["held_out_exact"] for line in log if "held_out_exact" in line]
        print(f"| {candidate} | {config['num_hidden_layers']} | {products(config):.1f} | {log[-1]['tokens'] / 1e6:.2f} | "
              f"{exact[-1]:.3f} | {scored(out, args)} |", flush=True)


if __name__ == "__main__":
    main()
