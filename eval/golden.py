"""Writes the file the engine must agree with: documents, templates, and what train/reference.py finds with the shipped weights.

    python3 eval/golden.py [--model FOLDER] [--out FILE.jsonl.gz]          or: make golden

The documents are the project's own: the business documents, generator documents under a seed of their own (several languages,
lists of records, choices, typed leaves) and a few long ones that need several windows. The first line names the weights, so
that the test (tests/engine/test_golden_shipped.py) can tell when the file is older than the model. Activations are not
rounded: that would hide how exact the engine is behind rounding that no two orders of summing share. Takes five minutes.
"""
import argparse
import gzip
import json
import sys
from pathlib import Path

from tqdm import tqdm

import heldout  # puts train/ on the path
import sets

ROOT = Path(__file__).resolve().parent.parent
SEED, COUNT = 77_000_777, 150
LONG, LONG_PARTS = 4, 12  # long documents, each of so many others' texts


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default=ROOT / "models/refractr-mini", help="model folder (default models/refractr-mini)")
    p.add_argument("--out", default=ROOT / "tests/data/golden.jsonl.gz", help="file to write (default %(default)s)")
    return p.parse_args()


def documents():
    """[{"document_text", "template"}]"""
    rows = sets.load("business", None) + heldout.of_generator(COUNT, SEED)
    out = [{"document_text": r["text"], "template": r["template"]} for r in rows]
    for n in range(LONG):
        parts = rows[n * LONG_PARTS:(n + 1) * LONG_PARTS]
        out.append({"document_text": "\n\n".join(r["text"] for r in parts), "template": parts[-1]["template"]})
    return out


def main():
    args = options()
    from reference import Model, spans_line
    model = Model(str(args.model), exact=True)
    with gzip.GzipFile(args.out, "wb", mtime=0) as file:  # no time stamp: the same model gives the same bytes
        file.write(json.dumps({"sha256": model.config["sha256"]}).encode() + b"\n")
        for d in tqdm(documents(), unit="doc", ncols=100, file=sys.stderr):
            file.write(json.dumps(spans_line(model, d), ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    main()
