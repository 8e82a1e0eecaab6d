"""The description is true: schemathesis asks the running service everything /openapi.json allows and forbids."""

import os
import re
import subprocess
import sys

import requests
from service import ROOT


def test_every_route_is_described(service):
    described = requests.get(service.url + "/openapi.json").json()["paths"]
    for path in described:
        plain = path.replace("{job_id}", "0196a2c4-7d1e-7a3b-9c55-1f0e2d3c4b5a")
        for method in ("get", "post"):
            answer = requests.request(method, service.url + plain, allow_redirects=False)
            assert (answer.status_code != 405) == (method in described[path]), (method, path, answer.status_code)


def test_described_error_codes_exist(service):
    text = requests.get(service.url + "/openapi.json").text
    described = {code for codes in re.findall(r"Codes: ([`a-z_, ]+)", text) for code in re.findall(r"`([a-z_]+)`", codes)}
    header = (ROOT / "src" / "base" / "error.h").read_text()
    known = set(re.findall(r'X\(ERR_\w+, "(\w+)"', header))
    assert len(described) > 20 and described <= known


def test_schemathesis_finds_nothing(service, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", service.url + "/openapi.json",
         "--max-examples", os.environ.get("SCHEMATHESIS_EXAMPLES", "25"), "--seed", "1", "--no-color", "--workers", "1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": os.path.dirname(__file__),
                                                                        "REFRACTR_TEST_KEY": service.key})
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    # Requests made of earlier answers: a job polled, polled again, the account after a job. (The link of a 504 needs one.)
    links = re.search(r"API Links: +(\d+) covered", done.stdout)
    assert links and int(links[1]) >= 5, done.stdout[-4000:]
    print("    schemathesis:", *re.findall(r"(?:Operations|Scenarios|API Links): .*|\d+ generated.*", done.stdout), sep="\n      ")
