"""What the documentation shows is run against the service, and what it says was answered must be answered.

web/docs/index.html marks its examples: <pre data-run="sh|python|javascript|python-client|request"> is run (a request is posted to the
extraction endpoint), <pre data-reply> right after it is what must come back. data-reply="shape": only members and types;
data-reply="whole": the whole answer where only extracted_data would be compared."""

import ast
import base64
import hashlib
import hmac
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from service import ROOT, extract

PAGE = ROOT / "web" / "docs" / "index.html"
PROGRAMS = {"sh": ["sh"], "python": [sys.executable], "javascript": ["node"], "python-client": [sys.executable]}
SUFFIX = {"sh": ".sh", "python": ".py", "javascript": ".mjs", "python-client": ".py"}
VOLATILE = {"job_id", "request_id", "latency_ms", "confidence", "account_id", "message"}


class Examples(html.parser.HTMLParser):
    """Collects [(attributes, text)] of every <pre>, and every id."""

    def __init__(self):
        super().__init__()
        self.blocks, self.ids, self.links, self.inside = [], set(), [], None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.add(attrs["id"])
        if tag == "a":
            self.links.append(attrs.get("href", ""))
        if tag == "pre":
            self.inside = [attrs, ""]

    def handle_data(self, data):
        if self.inside:
            self.inside[1] += data

    def handle_endtag(self, tag):
        if tag == "pre":
            self.blocks.append(tuple(self.inside))
            self.inside = None


def read_page():
    page = Examples()
    page.feed(PAGE.read_text())
    return page


def examples():
    """pytest parameters (attributes, text, reply attributes or None, reply or None)."""
    blocks = read_page().blocks
    for i, (attrs, text) in enumerate(blocks):
        if attrs.get("data-run") not in {*PROGRAMS, "request"}:
            continue
        reply = next(((a, json.loads(t)) for a, t in blocks[i + 1:] if "data-reply" in a), (None, None))
        yield pytest.param(attrs, text, *reply, id=f"{i}-{attrs['data-run']}")


def same(found, shown, shape_only, path="answer"):
    """Asserts that `found` has what the page shows: same members, same values unless they change with every call."""
    kinds = (int, float) if isinstance(shown, (int, float)) and not isinstance(shown, bool) else type(shown)
    assert isinstance(found, kinds), f"{path}: {found!r} where the page shows {shown!r}"
    if isinstance(shown, dict):
        assert list(found) == list(shown), f"{path} has {list(found)}, the page shows {list(shown)}"
        for key in shown:
            same(found[key], shown[key], shape_only or key in VOLATILE, f"{path}.{key}")
    elif not shape_only:
        assert found == shown, f"{path} is {found!r}, the page shows {shown!r}"


def run_program(kind, text, service, folder):
    script = folder / f"example{SUFFIX[kind]}"
    script.write_text(text.replace("http://127.0.0.1:8080", service.url).replace("dm_YOUR_KEY", service.key))
    if not shutil.which(PROGRAMS[kind][0]):
        pytest.skip(f"{PROGRAMS[kind][0]} is not installed")
    if kind == "python-client":
        pytest.importorskip("httpx", reason="the Python client's tests need httpx")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python" / "src")}
    done = subprocess.run([*PROGRAMS[kind], script], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    try:
        return json.loads(done.stdout)
    except ValueError:
        return ast.literal_eval(done.stdout)


@pytest.mark.parametrize("attrs, text, reply_attrs, reply", list(examples()))
def test_example(attrs, text, reply_attrs, reply, model_service, tmp_path):
    kind = attrs["data-run"]
    if kind == "request":
        answer = extract(model_service, model_service.key, json.loads(text))
        assert answer.status_code == int(attrs.get("data-status", 200)), answer.text
        found = answer.json()
    else:
        found = run_program(kind, text, model_service, tmp_path)
    if "extracted_data" in found and "extracted_data" not in reply:
        found = found["extracted_data"]
    same(found, reply, reply_attrs["data-reply"] == "shape")


def test_there_are_examples_of_every_kind():
    runs = {a.get("data-run") for a, _ in read_page().blocks}
    assert {"sh", "python", "javascript", "request", "python-verify", "javascript-verify"} <= runs


def test_every_error_code_has_its_row():
    """The page's table is the one made from the header."""
    done = subprocess.run([sys.executable, ROOT / "tools" / "gen_error_docs.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    codes = re.findall(r'X\(ERR_\w+,\s*"(\w+)"', (ROOT / "src" / "base" / "error.h").read_text())
    assert {f"error-{code}" for code in codes} <= read_page().ids


def test_links_within_the_page_lead_somewhere():
    page = read_page()
    assert [link for link in page.links if link.startswith("#") and link[1:] not in page.ids] == []


# ---- webhook signatures: the page's own code against signatures made here ----

SECRET_BYTES = b"0123456789abcdef01234567"
SECRET = "whsec_" + base64.b64encode(SECRET_BYTES).decode()
BODY = '{"type":"job.succeeded","data":{"text":"€ 😕"}}'.encode()


def signed(body=BODY, age=0, secret=SECRET_BYTES, extra=""):
    stamp = str(int(time.time()) - age)
    digest = hmac.new(secret, f"msg_1.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp,
            "webhook-signature": f"{extra}v1,{base64.b64encode(digest).decode()}"}


def cases():
    """Signed when asked: the page's code refuses what is five minutes old."""
    return {
        "good": (signed(), BODY, True),
        "second of two signatures": (signed(extra="v1,bm9wZQ== "), BODY, True),
        "body changed": (signed(), BODY.replace(b"succeeded", b"failed"), False),
        "other secret": (signed(secret=b"another"), BODY, False),
        "old": (signed(age=400), BODY, False),
    }


def verifier(kind):
    return next(text for attrs, text in read_page().blocks if attrs.get("data-run") == f"{kind}-verify")


def test_python_signature_check():
    space = {}
    exec(verifier("python"), space)  # the page's code is ours
    for name, (headers, body, good) in cases().items():
        assert space["verify"](SECRET, headers, body) is good, name


def test_javascript_signature_check(tmp_path):
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    (tmp_path / "verify.mjs").write_text(verifier("javascript"))
    script = tmp_path / "run.mjs"
    script.write_text("import { verify } from './verify.mjs';\nconst cases = JSON.parse(process.argv[2]);\n"
                      "console.log(JSON.stringify(cases.map(([h, b]) => verify(process.argv[3], h, Buffer.from(b)))));\n")
    made = cases().values()
    asked = json.dumps([[headers, body.decode()] for headers, body, _ in made])
    done = subprocess.run(["node", script, asked, SECRET], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [good for _, _, good in made]
