"""The engine against the reference on the weights that ship: tests/data/golden.jsonl.gz, written by `make golden`.

Both compute with the same int8 weights and quantise activations alike (to 8 bits, or 7 on processors without VNNI: the file
holds what the reference finds with either), so what differs is the order of float sums and the kernels' approximations. A field agrees when all its spans are the same, a choice when the option is, a member of a list of
records when it stands in the same rows.
"""
import gzip
import json
import pathlib
import subprocess

import pytest
from service import MODEL

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "data" / "golden.jsonl.gz"
BINARY = ROOT / "build" / "refractr"  # not the one with sanitizers: this is about numbers
AGREEMENT = 0.995


def place(detail):
    return None if detail["start"] is None else [detail["start"], detail["end"]]


def listed_once(spans, text):
    """The reference's spans as an answer lists them: names said again are not repeated, amounts are."""
    kept, said = [], set()
    for start, end, *_ in spans:
        value = text[start:end]
        if any(c in "0123456789" for c in value) or value not in said:
            kept.append([start, end])
        said.add(value)
    return kept


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


def compared(line, found, answer):
    """Yields (path, reference, engine) per field."""
    details, text = answer["metadata"]["fields"], line["document_text"]
    leaves = flat(line["template"], answer["extracted_data"])
    for f in found:
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


def largest_activation():
    told = subprocess.run([BINARY, "bench", "--json", "--tokens", "64", "--ms", "50", "--model", MODEL],
                          stdout=subprocess.PIPE, check=True)
    return "127" if "7 bit" in json.loads(told.stdout)["engine"] else "255"


def test_shipped_model_agrees_with_the_reference(model):
    with gzip.open(GOLDEN, "rt", encoding="utf-8") as file:
        head, *lines = map(json.loads, file)
    shipped = json.loads((MODEL / "config.json").read_text())["sha256"]
    assert head["sha256"] == shipped, "the golden file is of other weights: run `make golden`"
    text = "".join(json.dumps({"document_text": d["document_text"], "template": d["template"]}) + "\n" for d in lines)
    done = subprocess.run([BINARY, "extract", "--model", MODEL, "--details", "--jsonl", "-"], input=text.encode(),
                          stdout=subprocess.PIPE, timeout=900)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(lines)
    top = largest_activation()
    fields = differ = 0
    for line, answer in zip(lines, answers):
        if answer["status"] == "failed":
            pytest.fail(f"{answer['error']} for {json.dumps(line['template'])[:300]}")
        for path, wanted, got in compared(line, line["found"][top], answer):
            fields += 1
            if wanted != got:
                differ += 1
                print(f"{path}: reference {wanted}, engine {got}")
    print(f"agreement with the reference on the shipped weights (activations up to {top}): {fields - differ} of {fields}, {1 - differ / fields:.2%}")
    assert 1 - differ / fields >= AGREEMENT
