"""The mean of two runs' weights: python average.py FIRST SECOND OUT --share 0.7   (of SECOND; the rest is FIRST's)

Folders with model.safetensors in fp16 of one shape; OUT gets the weights, and config.json and vocab.txt of FIRST. Runs of which
one started from the other may be averaged so (Wortsman et al. 2022, arXiv:2203.05482). Then eval/calibrate.py and quantize.py.
"""
import argparse
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("first", type=Path)
    p.add_argument("second", type=Path)
    p.add_argument("out", type=Path)
    p.add_argument("--share", type=float, default=0.7, help="of the second run's weights (default %(default)s)")
    args = p.parse_args()
    first, second = (load_file(folder / "model.safetensors") for folder in (args.first, args.second))
    if {k: v.shape for k, v in first.items()} != {k: v.shape for k, v in second.items()}:
        raise SystemExit(f"{args.first} and {args.second} hold tensors of other names or shapes")
    args.out.mkdir(parents=True, exist_ok=True)
    mean = {k: (1 - args.share) * v.astype(np.float32) + args.share * second[k].astype(np.float32) for k, v in first.items()}
    save_file({k: v.astype(np.float16) for k, v in mean.items()}, args.out / "model.safetensors")
    for name in ("config.json", "vocab.txt"):
        if args.out != args.first:
            shutil.copy(args.first / name, args.out)


if __name__ == "__main__":
    main()
