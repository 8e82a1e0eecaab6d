"""A document's line ends, empty lines and wide gaps: the engine and the reference see the same, and they matter.

The shipped weights with every product's input in two planes, as near to the reference as the engine comes.
"""
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / "build" / "refractr"  # not the one with sanitizers: this is about numbers
SHIPPED = ROOT / "models" / "refractr-mini"
TEMPLATE = {"number": None, "date": None, "seller": None, "address": None, "total": None}
TEXTS = [
    "INVOICE\r\n\r\nHarbour Tools Ltd\r\n4 Quay Street\r\nLeith\r\n\r\nNumber:\tHT-204\r\nDate:\t3 May 2024\r\nTotal:\t£80.00\r\n",
    "              Café Zoë\n          12 Rue du Lac\n            Genève\n\n\nNo. 77      14.02.2025\n\n" + "x " * 70 + "\n      total       CHF 18.40\n",
    "number 5512, date 2023-01-09, seller Østergård A/S, address Nygade 3, total 1.250,00 kr",
]

sys.path.insert(0, str(ROOT / "train"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("breaks")
    for name in ("model.safetensors", "vocab.txt"):
        shutil.copy(SHIPPED / name, folder)
    config = json.loads((SHIPPED / "config.json").read_text())
    config["wide_activations"] = ["qkv", "attention_output", "intermediate", "output"]
    config["calibration"] = {"value": [0.2, 0], "null": [0, 0]}  # a value's confidence tells its margin, however large
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def answer(folder, text):
    done = subprocess.run([str(BINARY), "extract", "--model", str(folder), "--details", "--template", json.dumps(TEMPLATE)],
                          input=text.encode(), stdout=subprocess.PIPE, check=True, timeout=60)
    return json.loads(done.stdout)


def margins(folder, text):
    """The program's margin of every field that has a value."""
    sure = {key: f["confidence"] for key, f in answer(folder, text)["fields"].items() if f["start"] is not None}
    return {key: float(np.log(c / (1 - c)) / 0.2) for key, c in sure.items()}


def test_engine_and_reference_see_the_same_page(folder):
    import reference
    model = reference.Model(str(folder), exact=True)
    fields, compared = reference.fields_of(TEMPLATE), 0
    for text in TEXTS:
        wanted = {f["path"][0]: found["margin"] for f, found in zip(fields, model.find(text, fields)) if found["span"]}
        for key, margin in margins(folder, text).items():
            assert margin == pytest.approx(wanted[key], abs=0.15), (text, key)
            compared += 1
    assert compared >= 8


def test_the_page_matters(folder):
    text = TEXTS[0]
    page, line = margins(folder, text), margins(folder, " ".join(text.split()))
    assert any(abs(page[key] - line[key]) > 0.5 for key in page.keys() & line.keys())


def test_no_value_runs_over_an_empty_line_or_ends_in_white_space(folder):
    for text in TEXTS:
        for key, f in answer(folder, text)["fields"].items():
            if f["start"] is not None:
                value = text[f["start"]:f["end"]]
                assert value == value.strip() and "\n\n" not in value.replace("\r", ""), (key, value)
