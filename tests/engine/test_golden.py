"""The engine against the prototype's golden file: the spans of the float reference, found with int8 weights.

Needs the prototype (fp16 weights, golden.jsonl): REFRACTR_PROTOTYPE, or ../shared/model beside the checkout; skipped where
there is none. The weights are quantised here, as shipped ones are, on ../shared/data/train where that is there.
"""
import json
import os
import pathlib
import subprocess
import sys

import pytest
from spans import listed_once

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTOTYPE = pathlib.Path(os.environ.get("REFRACTR_PROTOTYPE", ROOT.parent / "shared" / "model"))
SAMPLES = ROOT.parent / "shared" / "data" / "train"
BINARY = ROOT / "build" / "refractr"  # not the one with sanitizers: this is about numbers
# 99.0 to 99.3 % are measured, by instruction set: how the sums of the quantising step are ordered moves a handful of the 1,283
# fields. The floor lies one per cent below, so that it tells a broken engine and not another processor.
FLOOR = 0.98


@pytest.fixture(scope="module")
def quantised(tmp_path_factory):
    if not (PROTOTYPE / "golden.jsonl").exists():
        pytest.skip(f"no prototype in {PROTOTYPE}; name its folder with REFRACTR_PROTOTYPE")
    folder = tmp_path_factory.mktemp("prototype")
    samples = ["--calibrate", str(SAMPLES)] if SAMPLES.is_dir() else []
    subprocess.run([sys.executable, str(ROOT / "train" / "quantize.py"), str(PROTOTYPE), str(folder), *samples], check=True)
    return folder


def answers(model, lines):
    """What the program says to each line, in order."""
    text = "".join(json.dumps({"document_text": d["document_text"], "template": d["template"]}) + "\n" for d in lines)
    done = subprocess.run([str(BINARY), "extract", "--model", str(model), "--details", "--jsonl", "-"], input=text.encode(),
                          stdout=subprocess.PIPE, timeout=900)
    assert done.returncode in (0, 1)
    return [json.loads(line) for line in done.stdout.splitlines()]


def spans_of(detail):
    places = detail["values"] if "values" in detail else [detail]
    return [[p["start"], p["end"]] for p in places if p["start"] is not None]


def test_golden_spans(quantised):
    lines = [json.loads(line) for line in open(PROTOTYPE / "golden.jsonl", encoding="utf-8")]
    found = answers(quantised, lines)
    assert len(found) == len(lines)
    agree = total = 0
    refused = []
    for line, answer in zip(lines, found):
        if answer["status"] == "failed":
            refused.append(answer["error"])
            continue
        for path, spans in line["spans"]:
            agree += spans_of(answer["metadata"]["fields"][path]) == listed_once(spans, line["document_text"])
            total += 1
    print(f"\nagreement with the golden spans: {agree} of {total} fields, {agree / total:.2%}; "
          f"{len(refused)} templates over the API's limits left out")
    assert all(e["code"] in ("template_invalid", "template_too_complex") for e in refused)
    assert len(refused) <= 2
    assert agree / total >= FLOOR


def test_same_answer_whatever_runs_beside_it(quantised):
    lines = [json.loads(line) for line in open(PROTOTYPE / "golden.jsonl", encoding="utf-8")][:40]
    alone = [answers(quantised, [line])[0] for line in lines[:5]]
    together = answers(quantised, lines + lines[::-1])
    assert together[:5] == alone
    assert together[:40] == together[40:][::-1]
