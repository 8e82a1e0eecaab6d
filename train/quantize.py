#!/usr/bin/env python3
"""Makes the int8 model the program carries from float weights.

    python3 train/quantize.py FROM TO [--wide qkv,output]

FROM and TO are folders with model.safetensors, vocab.txt and config.json; TO is made. The encoder's products become int8:
`<name>.weight` I8 [out, in] with `<name>.weight.scale` F32 [out] (symmetric, one scale per output channel, the scale chosen
for the least squared error). The word embeddings are kept as F16, everything else as F32, because their share of the file is
small and their share of the error was not. config.json gets "sha256" and "wide_activations" (the products whose input the
engine quantises in two planes).

Needs numpy and safetensors.
"""
import argparse
import hashlib
import json
import os
import shutil
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

PRODUCTS = ("qkv", "attention_output", "intermediate", "output")
CLIPS = np.linspace(1.0, 0.7, 16)


def is_product(name):
    return name.startswith("enc.encoder.layer.") and name.endswith(".weight") and "LayerNorm" not in name


def quantise(weight):
    """[out, in] float -> int8 and the scale of each row that gives the least squared error."""
    largest = np.abs(weight).max(1, keepdims=True)
    best, best_error = None, np.full((weight.shape[0], 1), np.inf)
    for clip in CLIPS:
        scale = np.maximum(largest * clip / 127, 1e-12)
        q = np.clip(np.rint(weight / scale), -127, 127)
        error = ((q * scale - weight) ** 2).sum(1, keepdims=True)
        if best is None:
            best, best_scale = q, scale
        better = error < best_error
        best, best_scale = np.where(better, q, best), np.where(better, scale, best_scale)
        best_error = np.minimum(error, best_error)
    return best.astype(np.int8), best_scale[:, 0].astype(np.float32)


def convert(tensors):
    """float tensors -> what the engine reads."""
    out = {}
    for name, tensor in tensors.items():
        value = tensor.astype(np.float32)
        if is_product(name):
            out[name], out[name + ".scale"] = quantise(value)
        elif name.endswith("word_embeddings.weight"):
            out[name] = value.astype(np.float16)
        else:
            out[name] = value
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="FROM", help="folder with the float model")
    parser.add_argument("target", metavar="TO", help="folder to write")
    parser.add_argument("--wide", default=None, help="products with two-plane inputs, of " + ", ".join(PRODUCTS))
    args = parser.parse_args()

    with open(os.path.join(args.source, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    if args.wide is not None:
        config["wide_activations"] = [name for name in args.wide.split(",") if name]
    unknown = set(config.get("wide_activations", [])) - set(PRODUCTS)
    if unknown:
        sys.exit(f"--wide: {', '.join(sorted(unknown))} is none of {', '.join(PRODUCTS)}")
    tensors = convert(load_file(os.path.join(args.source, "model.safetensors")))

    os.makedirs(args.target, exist_ok=True)
    path = os.path.join(args.target, "model.safetensors")
    save_file(tensors, path)
    with open(path, "rb") as file:
        config["sha256"] = hashlib.sha256(file.read()).hexdigest()
    with open(os.path.join(args.target, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1, ensure_ascii=False)
        file.write("\n")
    shutil.copyfile(os.path.join(args.source, "vocab.txt"), os.path.join(args.target, "vocab.txt"))
    print(f"{path}: {os.path.getsize(path) / 1e6:.1f} MB, sha256 {config['sha256']}")


if __name__ == "__main__":
    main()
