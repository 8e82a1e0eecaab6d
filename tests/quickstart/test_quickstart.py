"""The quick start, unchanged but for address and key, in the clients people use: curl, Python's requests, JavaScript's fetch."""

import ast
import json
import pathlib
import shutil
import subprocess
import sys

import pytest
from service import extract

HERE = pathlib.Path(__file__).parent
INVOICE = {"invoice_number": "2847", "date": "2026-01-15", "total_amount": "€1,249.00"}
NEWS = {
    "document_text": "BREAKING — Nvidia soars 12% to ~$187 after crushing Q4 earnings. Revenue hit $22.1B vs $20.4B expected.",
    "template": {"company": None, "stock_move_pct": None, "revenue": None},
}


def run(service, tmp_path, script, program):
    if not shutil.which(program[0]):
        pytest.skip(f"{program[0]} is not installed")
    text = (HERE / script).read_text()
    assert "http://127.0.0.1:8080" in text and "dm_YOUR_KEY" in text
    mine = tmp_path / script
    mine.write_text(text.replace("http://127.0.0.1:8080", service.url).replace("dm_YOUR_KEY", service.key))
    done = subprocess.run([*program, mine], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl(model_service, tmp_path):
    body = json.loads(run(model_service, tmp_path, "quickstart.sh", ["sh"]))
    assert body["status"] == "success" and body["metadata"]["credits_charged"] == 1
    assert body["extracted_data"] == INVOICE


def test_python_requests(model_service, tmp_path):
    assert ast.literal_eval(run(model_service, tmp_path, "quickstart.py", [sys.executable])) == INVOICE


def test_javascript_fetch(model_service, tmp_path):
    assert json.loads(run(model_service, tmp_path, "quickstart.mjs", ["node"])) == INVOICE


def test_second_example_is_a_number_where_the_key_says_so(model_service):
    answer = extract(model_service, model_service.key, body=NEWS)
    assert answer.status_code == 200
    assert '"stock_move_pct":12.0' in answer.text
    assert answer.json()["extracted_data"] == {"company": "Nvidia", "stock_move_pct": 12.0, "revenue": "$22.1B"}
