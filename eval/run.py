"""Measures extraction: sets -> answers -> figures. `make eval`, or python eval/run.py --help.

    python eval/run.py --predictor refractr                    all sets through build/refractr, table on the terminal
    python eval/run.py --predictor reference --model M --sets business --limit 20 --faults 40
    python eval/run.py --predictor prototype                   the prototype's column, kept in eval/results/prototype.json
    python eval/run.py --predictor refractr --readme README.md writes the table between the README's eval markers

Answers are kept under build/eval/<predictor and its digest>/<set>.jsonl, so a stopped run goes on where it was; figures go to
eval/results/<predictor>.json. The sets under --measure are only measured on: nothing here fits or chooses anything.
"""
import argparse
import hashlib
import json
import os
import platform
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from tqdm import tqdm

import predictors
import score
import sets

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SHIPPED = ROOT / "models/refractr-mini"
MODELS = {"refractr": SHIPPED, "reference": SHIPPED, "torch": SHIPPED, "prototype": ROOT.parent / "shared/model"}


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--predictor", choices=MODELS, default="refractr", help="who answers (default %(default)s)")
    p.add_argument("--model", help="model folder (default: models/, for prototype ../shared/model)")
    p.add_argument("--binary", default=ROOT / "build/refractr", help="the program (default build/refractr)")
    p.add_argument("--measure", default=ROOT.parent / "shared/data/measure", help="folder of the measure-only sets")
    p.add_argument("--sets", nargs="+", choices=sets.names(), metavar="SET", help=f"of {', '.join(sets.names())} (default all)")
    p.add_argument("--limit", type=int, help="at most so many documents of a set; figures are then not kept")
    p.add_argument("--cache", default=ROOT / "build/eval", help="where answers are kept (default build/eval)")
    p.add_argument("--results", default=HERE / "results", help="folder of the figures (default eval/results)")
    p.add_argument("--name", help="name of the figures' column (default: the predictor)")
    p.add_argument("--json", help="write the figures here too")
    p.add_argument("--markdown", action="store_true", help="print the tables as markdown")
    p.add_argument("--readme", help="put the tables between this file's eval markers")
    p.add_argument("--faults", type=int, default=0, metavar="N", help="show N faults of each set")
    p.add_argument("--table-only", action="store_true", help="no measuring: tables from the figures kept")
    return p.parse_args()


def key_of(document):
    text = json.dumps([document["text"], document["template"]], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def answers_for(predictor, name, documents, cache):
    """One answer per document, from the cache where it has them. Appends what is new to the cache as it comes."""
    path = Path(cache) / predictor.identity / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    if path.exists():
        for line in open(path, encoding="utf-8"):
            if line.endswith("\n"):
                kept = json.loads(line)
                known[kept["key"]] = kept
    todo = [d for d in documents if key_of(d) not in known]
    rows = [{"id": d["id"], "document_text": d["text"], "template": d["template"]} for d in todo]
    with open(path, "a", encoding="utf-8") as out:
        found = zip(todo, predictor.answers(rows) if rows else ())
        for d, (answer, seconds) in tqdm(found, total=len(todo), desc=f"{name:24}", unit="doc", disable=not todo, ncols=100):
            known[key_of(d)] = {"key": key_of(d), "answer": answer, "seconds": round(seconds, 4)}
            out.write(json.dumps(known[key_of(d)], ensure_ascii=False) + "\n")
            out.flush()
    return [known[key_of(d)] for d in documents]


def measure(predictor, documents, cache):
    """documents: {set: [document]} -> {set: [(document, {leaf: Counts}, [Fault], seconds)]}"""
    out = {}
    for name, rows in documents.items():
        kept = answers_for(predictor, name, rows, cache)
        out[name] = [(d, *score.score_document(d["template"], d["gold"], k["answer"], d.get("alts")), k["seconds"])
                     for d, k in zip(rows, kept)]
    return out


def row_documents(row, name, scored):
    """Per document of a row: (Counts, [Fault]) of the leaves it scores."""
    out = []
    for document, counts, faults, _ in scored[name]:
        kinds = {".".join(leaf.path): leaf.kind for leaf in score.leaves(document["template"])}
        if not sets.belongs(row, document) or not any(k in row.kinds for k in kinds.values()):
            continue
        own = {p for p, k in kinds.items() if k in row.kinds}
        total = sum((c for p, c in counts.items() if p in own), score.Counts())
        out.append((total, [f for f in faults if f.path in own or f.path.rpartition(".")[0] in own]))
    return out


def figures_of(row, scored):
    """A row's summary, with its faults by kind; None where one of its sets was not measured."""
    if any(name not in scored for name in row.sets):
        return None
    each = [row_documents(row, name, scored) for name in row.sets]
    if not any(each):
        return None
    pooled = [one for part in each for one in part]
    s = score.summary([c for c, _ in pooled])
    if row.mean:
        parts = [score.summary([c for c, _ in part]) for part in each]
        s |= {k: sum(p[k] for p in parts) / len(parts) for k in ("precision", "recall", "f1", "whole")}
    s["faults"] = dict(Counter(f"{f.kind}: {f.detail}" if f.detail else f.kind for _, fs in pooled for f in fs))
    seconds = [s for name in row.sets for *_, s in scored[name]]
    return {"title": row.title, "goal": row.goal, "seconds": sum(seconds) / max(1, len(seconds)), **s}


def table(columns):
    """The main table. columns: {name: {title: figures}}, the one in question last."""
    names = list(columns)
    out = ["| set | goal | " + " | ".join(names) + " | 95% interval | P | R | whole documents |",
           "|---|---|" + "---|" * (len(names) + 4)]
    last = columns[names[-1]]
    for row in sets.ROWS:
        if not any(row.title in c for c in columns.values()):
            continue
        f = last.get(row.title)
        shown = [f"{c[row.title]['f1']:.3f}" if row.title in c else "" for c in columns.values()]
        tail = [f"{f['low']:.3f}–{f['high']:.3f}", f"{f['precision']:.3f}", f"{f['recall']:.3f}", f"{f['whole']:.2f}"] if f else [""] * 4
        out.append(f"| {row.title} | {'' if row.goal is None else f'{row.goal:.2f}'} | " + " | ".join(shown + tail) + " |")
    return "\n".join(out)


FAULTS = ["missed", *(f"wrong: {d}" for d in (score.BOUNDS, score.SWAPPED, score.OTHER)),
          *(f"spurious: {d}" for d in (score.SWAPPED, score.OTHER))]


def fault_table(figures):
    """What was wrong, per row, as shares of all faults."""
    out = ["| set | right | correct nulls | faults | " + " | ".join(FAULTS) + " |", "|---|" + "---|" * (len(FAULTS) + 3)]
    for f in figures.values():
        total = sum(f["faults"].values())
        shares = [f"{f['faults'].get(k, 0) / max(1, total):.0%}" for k in FAULTS]
        out.append(f"| {f['title']} | {f['right']} | {f['null']} | {total} | " + " | ".join(shares) + " |")
    return "\n".join(out)


def weakest_fields(scored, count=25):
    """The fields that cost most, over all sets: (name, faults, right)."""
    by_name = defaultdict(score.Counts)
    for name, documents in scored.items():
        for _, counts, _, _ in documents:
            for path, c in counts.items():
                by_name[f"{name}: {path}"] += c
    worst = sorted(by_name.items(), key=lambda kv: -(kv[1].missed + 2 * kv[1].wrong + kv[1].spurious))[:count]
    return "\n".join(f"  {n:55} right {c.right:4} missed {c.missed:4} wrong {c.wrong:4} spurious {c.spurious:4}" for n, c in worst)


def show_faults(scored, count):
    for name, documents in scored.items():
        print(f"\n{name}")
        left = count
        for document, _, faults, _ in documents:
            for f in faults[:max(0, left)]:
                left -= 1
                print(f"  {document['id'][:28]:28} {f.kind:8} {f.detail:22} {f.path:34} {f.gold!r:.60} <- {f.answer!r:.60}")


def into_readme(path, text, mark="eval"):
    """Puts text between the lines <!-- mark:begin --> and <!-- mark:end --> of the file."""
    page = open(path, encoding="utf-8").read()
    changed, count = re.subn(f"(<!-- {mark}:begin -->\n).*?(<!-- {mark}:end -->)", lambda m: m[1] + text + "\n" + m[2], page, flags=re.S)
    if count != 1:
        raise SystemExit(f"{path} needs the lines <!-- {mark}:begin --> and <!-- {mark}:end --> once, for the table to stand between.")
    with open(path, "w", encoding="utf-8") as f:
        f.write(changed)


def kept_columns(folder, last):
    """Figures kept of other predictors: {name: {title: figures}}; the one in question comes last."""
    columns = {}
    for path in sorted(Path(folder).glob("*.json")):
        if path.stem != last:
            columns[path.stem] = {f["title"]: f for f in json.load(open(path, encoding="utf-8"))["figures"]}
    return columns


def main():
    args = options()
    name = args.name or args.predictor
    kept = Path(args.results) / f"{name}.json"
    if args.table_only:
        if not kept.exists():
            raise SystemExit(f"{kept} is missing: measure first, without --table-only.")
        figures = {f["title"]: f for f in json.load(open(kept, encoding="utf-8"))["figures"]}
        identity = json.load(open(kept, encoding="utf-8"))["identity"]
    else:
        predictor = predictors.open_predictor(args.predictor, args.model or MODELS[args.predictor], args.binary)
        identity = predictor.identity
        documents = {n: sets.load(n, args.measure)[:args.limit] for n in args.sets or sets.names()}
        scored = measure(predictor, documents, args.cache)
        figures = {row.title: f for row in sets.ROWS if (f := figures_of(row, scored))}
        page = {"identity": identity, "machine": f"{platform.machine()}, {os.cpu_count()} cores", "figures": list(figures.values())}
        if not args.limit:
            old = json.load(open(kept, encoding="utf-8")) if kept.exists() else {}
            if old.get("identity") == identity:
                known = {f["title"]: f for f in old["figures"]} | figures
                page["figures"] = [known[r.title] for r in sets.ROWS if r.title in known]
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if args.json:
            Path(args.json).write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    columns = {**kept_columns(args.results, name), name: figures}
    text = f"{table(columns)}\n\nWhat was wrong (shares of the faults of `{name}`):\n\n{fault_table(figures)}"
    if args.readme:
        into_readme(args.readme, text)
    print(text if args.markdown else text.replace(" | ", "  "))
    if not args.table_only:
        print(f"\nThe fields that cost most:\n{weakest_fields(scored)}", file=sys.stderr)
        if args.faults:
            show_faults(scored, args.faults)


if __name__ == "__main__":
    main()
