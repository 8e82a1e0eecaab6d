"""Who answers: the C program, or the readable reference. Used by run.py, quick.py and calibrate.py.

A predictor has `identity` (changes whenever its answers may) and `answers(rows)`, which yields (extracted_data, seconds) for
each {"id", "document_text", "template"} in order.
"""
import hashlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TRAIN = HERE.parent / "train"


def digest(*paths):
    h = hashlib.sha256()
    for path in paths:
        h.update(Path(path).read_bytes())
    return h.hexdigest()[:12]


def model_files(folder):
    missing = [n for n in ("config.json", "model.safetensors", "vocab.txt") if not (Path(folder) / n).exists()]
    if missing:
        raise SystemExit(f"{folder}: no {', '.join(missing)}. Give a model folder with --model (train one with `make train`).")
    return [Path(folder) / "config.json", Path(folder) / "model.safetensors"]


class Reference:
    """train/reference.py in this process; numpy, slow, needs no build."""

    def __init__(self, model):
        files = model_files(model)
        sys.path.insert(0, str(TRAIN))
        import reference
        self.model = reference.Model(str(model))
        self.identity = "reference-" + digest(*files, TRAIN / "reference.py", TRAIN / "breaks.py")

    def answers(self, rows):
        for row in rows:
            begun = time.perf_counter()
            answer = self.model.extract(row["document_text"], row["template"])
            yield answer, time.perf_counter() - begun


class Program:
    """`refractr extract --jsonl -`, one process for all rows."""

    def __init__(self, model, binary):
        if not Path(binary).exists():
            raise SystemExit(f"{binary} is not built: run `make`, or use --predictor reference.")
        self.command = [str(binary), "extract", "--jsonl", "-", "--model", str(model)]
        self.identity = "refractr-" + digest(*model_files(model), binary)

    def answers(self, rows):
        p = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, encoding="utf-8")
        complaints = []
        threads = [threading.Thread(target=feed, args=(p.stdin, rows), daemon=True),
                   threading.Thread(target=complaints.extend, args=(p.stderr,), daemon=True)]
        for t in threads:
            t.start()
        begun, count = time.perf_counter(), 0
        for line in p.stdout:
            answer = json.loads(line)
            now = time.perf_counter()
            yield answer.get("extracted_data") or {}, now - begun
            begun, count = now, count + 1
        if p.wait() or count != len(rows):
            raise SystemExit(f"{self.command[0]} answered {count} of {len(rows)} lines, exit status {p.returncode}:\n"
                             + "".join(complaints[-5:]))


class Torch(Reference):
    """The reference with its encoder in PyTorch (fp32; inputs of int8 products are not rounded): the same figures, several times
    faster. For following a training run."""

    def __init__(self, model):
        super().__init__(model)
        import torch
        self.torch = torch
        self.model.encode = self.encode
        self.t = {k: torch.from_numpy(v) for k, v in self.model.w.items() if k.startswith("enc.")}
        for name in self.model.int8:
            self.t[name + ".weight"] = self.t[name + ".weight"] * torch.as_tensor(self.model.smooth(name))
        self.identity = self.identity.replace("reference", "torch")

    def encode(self, ids, types):
        """As reference.Model.encode: L ids and types -> L x H hidden states."""
        f, w, c, e = self.torch.nn.functional, self.t, self.model.config, "enc.embeddings."
        with self.torch.inference_mode():
            norm = lambda x, n: f.layer_norm(x, x.shape[-1:], w[n + ".weight"], w[n + ".bias"], c["layer_norm_eps"])
            linear = lambda x, n: f.linear(x, w[n + ".weight"], w[n + ".bias"])
            x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][:len(ids)]
            x = norm(x + w[e + "token_type_embeddings.weight"][types], e + "LayerNorm")
            heads = c["num_attention_heads"]
            for n in range(c["num_hidden_layers"]):
                p = f"enc.encoder.layer.{n}."
                q, k, v = (linear(x, p + "attention.self." + part).view(len(ids), heads, -1).transpose(0, 1)
                           for part in ("query", "key", "value"))
                a = f.scaled_dot_product_attention(q[None], k[None], v[None])[0].transpose(0, 1).reshape(len(ids), -1)
                x = norm(x + linear(a, p + "attention.output.dense"), p + "attention.output.LayerNorm")
                h = f.gelu(linear(x, p + "intermediate.dense"))
                x = norm(x + linear(h, p + "output.dense"), p + "output.LayerNorm")
            return x.numpy()


def feed(pipe, rows):
    try:
        for row in rows:
            pipe.write(json.dumps(row, ensure_ascii=False) + "\n")
        pipe.close()
    except BrokenPipeError:
        pass  # the program ended early; its exit status is reported by the reader


def open_predictor(name, model, binary):
    if name == "refractr":
        return Program(model, binary)
    return Reference(model) if name == "reference" else Torch(model)
