"""Weights that know the page: the engine and the reference add the same places of layout to the same pieces.

The shipped weights with a layout table of random numbers, since it does not matter here what it was trained to say.
"""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

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
    folder = tmp_path_factory.mktemp("layout")
    for name in ("config.json", "vocab.txt"):
        shutil.copy(SHIPPED / name, folder)
    tensors = load_file(SHIPPED / "model.safetensors")
    table = np.random.default_rng(7).normal(0, 0.05, (41, tensors["q.weight"].shape[1])).astype(np.float32)
    save_file({**tensors, "enc.embeddings.layout_embeddings.weight": table}, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    config["sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    config["wide_activations"] = ["qkv", "attention_output", "intermediate", "output"]  # as near to the reference as it comes
    config["calibration"] = {"value": [0.2, 0], "null": [0, 0]}  # a value's confidence tells its margin, however large
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def margins(folder, text):
    """The program's margin of every field that has a value."""
    done = subprocess.run([str(BINARY), "extract", "--model", str(folder), "--details", "--template", json.dumps(TEMPLATE)],
                          input=text.encode(), stdout=subprocess.PIPE, check=True, timeout=60)
    fields = json.loads(done.stdout)["fields"]
    sure = {key: f["confidence"] for key, f in fields.items() if f["start"] is not None}
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


def test_a_layout_table_of_another_shape_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "odd")
    tensors = load_file(folder / "model.safetensors")
    tensors["enc.embeddings.layout_embeddings.weight"] = tensors["enc.embeddings.layout_embeddings.weight"][:-1].copy()
    save_file(tensors, tmp_path / "odd" / "model.safetensors")
    config = json.loads((tmp_path / "odd" / "config.json").read_text())
    del config["sha256"]
    (tmp_path / "odd" / "config.json").write_text(json.dumps(config))
    done = subprocess.run([str(BINARY), "extract", "--model", str(tmp_path / "odd"), "--template", json.dumps(TEMPLATE)], input=b"x", capture_output=True)
    assert done.returncode == 3 and b"layout_embeddings" in done.stderr
