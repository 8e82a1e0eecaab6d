#!/usr/bin/env python3
"""The engine beside onnxruntime: the same weights, inputs and thread count, in turns.

    python3 eval/bench_onnx.py [--model FOLDER] [--binary build/refractr] [--json]

The model (encoder and the heads' projections) is exported with torch and quantised by onnxruntime's own dynamic int8
quantisation (per channel, MatMul and Gemm). At every length the two run in turns, each several times; the medians count.
With more than one thread the engine runs a window on each, as it does for requests; onnxruntime spreads one over them all.
Needs numpy, torch, onnx, onnxruntime, safetensors, tqdm: eval/bench_onnx.txt.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
LENGTHS = (64, 128, 512)
HEAD = 10  # pieces before the document, as in src/cli/bench.c


def float_weights(path):
    """The tensors of a model file by name; int8 ones as the float32 weights they stand for (quantize.py)."""
    from safetensors.numpy import load_file

    raw, out = load_file(path), {}
    for name, tensor in raw.items():
        if tensor.dtype == np.int8:
            smooth = re.sub(r"self\.(key|value)\.weight$", "self.query.weight", name)[:-len("weight")] + "smooth"
            tensor = tensor.astype(np.float32) * raw[name + ".scale"].reshape(-1, 1) * raw.get(smooth, np.float32(1))
        out[name] = tensor
    return out


def build(config, weights):
    """The model as a torch module, by hand: what the export sees is what reference.py computes."""
    import torch
    from torch import nn
    from torch.nn import functional

    h, heads = config["hidden_size"], config["num_attention_heads"]

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.value, self.out = (nn.Linear(h, h) for _ in range(4))
            self.up, self.down = nn.Linear(h, config["intermediate_size"]), nn.Linear(config["intermediate_size"], h)
            self.norm1, self.norm2 = (nn.LayerNorm(h, eps=config["layer_norm_eps"]) for _ in range(2))

        def forward(self, x):
            b, n, _ = x.shape
            q, k, v = (f(x).view(b, n, heads, h // heads).transpose(1, 2) for f in (self.query, self.key, self.value))
            a = torch.softmax(q @ k.transpose(2, 3) / (h // heads) ** 0.5, -1) @ v
            x = self.norm1(x + self.out(a.transpose(1, 2).reshape(b, n, h)))
            return self.norm2(x + self.down(functional.gelu(self.up(x))))

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(config["vocab_size"], h)
            self.positions = nn.Embedding(config["max_position_embeddings"], h)
            self.types = nn.Embedding(2, h)
            self.norm = nn.LayerNorm(h, eps=config["layer_norm_eps"])
            self.layers = nn.ModuleList(Layer() for _ in range(config["num_hidden_layers"]))
            self.q, self.k = nn.Linear(h, 3 * config["head_dim"]), nn.Linear(h, 3 * config["head_dim"])

        def forward(self, ids, types):
            x = self.words(ids) + self.positions(torch.arange(ids.shape[1])[None]) + self.types(types)
            x = self.norm(x)
            for layer in self.layers:
                x = layer(x)
            return self.q(x), self.k(x)

    model, e = Whole(), "enc.embeddings."
    names = {"words": e + "word_embeddings", "positions": e + "position_embeddings", "types": e + "token_type_embeddings",
             "norm": e + "LayerNorm", "q": "q", "k": "k"}
    parts = {"query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
             "out": "attention.output.dense", "up": "intermediate.dense", "down": "output.dense",
             "norm1": "attention.output.LayerNorm", "norm2": "output.LayerNorm"}
    names |= {f"layers.{n}.{mine}": f"enc.encoder.layer.{n}.{theirs}" for n in range(config["num_hidden_layers"])
              for mine, theirs in parts.items()}
    state = {f"{mine}.{kind}": torch.from_numpy(weights[f"{theirs}.{kind}"].astype(np.float32))
             for mine, theirs in names.items() for kind in ("weight", "bias") if f"{theirs}.{kind}" in weights}
    model.load_state_dict(state)
    return model.eval()


def export(folder, path):
    """float model -> int8 ONNX file."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    model = build(config, float_weights(os.path.join(folder, "model.safetensors")))
    ids = torch.ones(1, 64, dtype=torch.int64)
    torch.onnx.export(model, (ids, ids), path + ".float", input_names=["ids", "types"], output_names=["q", "k"],
                      dynamic_axes={"ids": {1: "n"}, "types": {1: "n"}}, opset_version=17, dynamo=False)
    quantize_dynamic(path + ".float", path, weight_type=QuantType.QInt8, per_channel=True)


def onnx_rate(session, tokens, seconds):
    """Tokens a second of onnxruntime at one length."""
    ids = (np.arange(tokens) * 7919 % 30000 + 200).astype(np.int64)[None]
    types = (np.arange(tokens) >= HEAD).astype(np.int64)[None]
    for _ in range(3):
        session.run(None, {"ids": ids, "types": types})
    start, runs = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        session.run(None, {"ids": ids, "types": types})
        runs += 1
    return runs * tokens / (time.perf_counter() - start)


def engine_rate(binary, model, tokens, threads, seconds):
    """Tokens a second of the engine at one length, measured by the program itself."""
    command = [binary, "bench", "--json", "--tokens", str(tokens), "--threads", str(threads), "--ms", str(int(seconds * 1000))]
    out = subprocess.run(command + (["--model", model] if model else []), stdout=subprocess.PIPE, check=True)
    return json.loads(out.stdout)["rate"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=os.path.join(ROOT, "models", "refractr-mini"), help="folder of the weights both run")
    parser.add_argument("--binary", default=os.path.join(ROOT, "build", "refractr"))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--turns", type=int, default=5, help="turns at every length")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    args = parser.parse_args()

    import onnxruntime
    from tqdm import tqdm

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        export(args.model, path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    rates = {n: {"engine": [], "onnxruntime": []} for n in LENGTHS}
    for _ in tqdm(range(args.turns), disable=not sys.stderr.isatty()):
        for n in LENGTHS:
            rates[n]["engine"].append(engine_rate(args.binary, args.model, n, args.threads, args.seconds))
            rates[n]["onnxruntime"].append(onnx_rate(session, n, args.seconds))
    table = {n: {name: statistics.median(values) for name, values in row.items()} for n, row in rates.items()}
    for row in table.values():
        row["times"] = row["engine"] / row["onnxruntime"]
    if args.json:
        print(json.dumps({"onnxruntime_version": onnxruntime.__version__, "threads": args.threads, "tokens_per_second": table}, indent=1))
        return
    print(f"tokens a second, {args.threads} threads, onnxruntime {onnxruntime.__version__} dynamic int8\n")
    print("tokens     engine  onnxruntime  times")
    for n, row in table.items():
        print(f"{n:6d} {row['engine']:10.0f} {row['onnxruntime']:12.0f} {row['times']:6.2f}")


if __name__ == "__main__":
    main()
