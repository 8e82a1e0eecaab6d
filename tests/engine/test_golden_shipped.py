"""The engine against the reference on the weights that ship: tests/data/golden.jsonl.gz, written by `make golden`.

A field agrees when all its spans are the same, a choice when the option is, a member of a list of records when it stands in the
same rows. The file holds what exact activations give. The engine answers twice: with activations in two bytes, where it must agree
almost everywhere (99.4 of 100 fields where the bytes have 7 bits, without VNNI), and as it ships, with activations in one.
There the rounding of one layer moves that of the next, so that no two orders of summing end alike: fields between which the
model hardly decides fall either way, and the floor only tells a broken engine.
"""
import gzip
import json
import pathlib
import subprocess

import pytest
from spans import listed_once

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "data" / "golden.jsonl.gz"
BINARY = ROOT / "build" / "refractr"  # not the one with sanitizers: this is about numbers
WIDE = ["qkv", "attention_output", "intermediate", "output"]


def place(detail):
    return None if detail["start"] is None else [detail["start"], detail["end"]]


def flat(template, value, path=""):
    """{dotted path: (leaf, value)} of a template and what fills it."""
    if not isinstance(template, dict) or "$type" in template:
        return {path: (template.get("$type") if isinstance(template, dict) else template, value)}
    out = {}
    for key in template:
        out |= flat(template[key], value[key], f"{path}.{key}" if path else key)
    return out


def option_said(leaf, value):
    """The index of the chosen option, as the reference counts: booleans are yes, no."""
    options = [True, False] if leaf == "boolean" else leaf
    return None if value is None else options.index(value)


def compared(line, answer):
    """Yields (path, reference, engine) per field."""
    details, text = answer["metadata"]["fields"], line["document_text"]
    leaves = flat(line["template"], answer["extracted_data"])
    for f in line["found"]:
        path = f["path"]
        if f["kind"] == "records":
            leaf, rows = leaves[path]
            for key in leaf[0]:
                yield (f"{path}[].{key}", [r.get(key) for r in f["rows"]],
                       [place(details[f"{path}[{i}].{key}"]) for i in range(len(rows))])
        elif f["kind"] == "enum":
            yield path, f["option"], option_said(*leaves[path])
        elif path in details and "values" in details[path]:
            yield path, listed_once(f["spans"], text), [place(v) for v in details[path]["values"]]
        elif path in leaves:  # not a member of records: those are compared by row
            yield path, [s[:2] for s in f["spans"]], [p for p in [place(details[path])] if p]


def agreement(model, lines):
    """The share of fields that agree; those that do not are printed."""
    text = "".join(json.dumps({"document_text": d["document_text"], "template": d["template"]}) + "\n" for d in lines)
    done = subprocess.run([BINARY, "extract", "--model", model, "--details", "--jsonl", "-"], input=text.encode(),
                          stdout=subprocess.PIPE, timeout=900)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["status"] for a in answers] == ["success"] * len(lines)
    fields = differ = 0
    for line, answer in zip(lines, answers):
        for path, wanted, got in compared(line, answer):
            fields += 1
            if wanted != got:
                differ += 1
                print(f"{path}: reference {wanted}, engine {got}")
    print(f"{fields - differ} of {fields} fields agree: {1 - differ / fields:.2%}")
    return 1 - differ / fields


@pytest.mark.parametrize("activations, least", [("in two bytes", 0.99), ("as shipped", 0.90)])
def test_shipped_model_agrees_with_the_reference(model, tmp_path, activations, least):
    with gzip.open(GOLDEN, "rt", encoding="utf-8") as file:
        head, *lines = map(json.loads, file)
    config = json.loads((model / "config.json").read_text())
    assert head["sha256"] == config["sha256"], "the golden file is of other weights: run `make golden`"
    if activations == "in two bytes":
        config["wide_activations"] = WIDE
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name in ("model.safetensors", "vocab.txt"):
        (tmp_path / name).symlink_to(model / name)
    assert agreement(tmp_path, lines) >= least
