"""One line of scores within a minute, for following a training run: python eval/quick.py --model runs/mini/model

Scores the business documents (both halves; they are no training data), held-out lines of ten training sets and fresh
generator documents. The measure-only sets are not touched. Field F1 per source, then the mean over all.
"""
import argparse
import time
from pathlib import Path

from tqdm import tqdm

import heldout
import predictors
import score
import sets

ROOT = Path(__file__).resolve().parent.parent


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default=ROOT / "train/weights/mini", help="model folder (default train/weights/mini)")
    p.add_argument("--predictor", choices=("torch", "reference", "refractr"), default="torch",
                   help="torch: the reference with a fast encoder (default); refractr: the program")
    p.add_argument("--binary", default=ROOT / "build/refractr", help="the program (default build/refractr)")
    p.add_argument("--data", default=ROOT.parent / "shared/data", help="folder with train/ (default ../shared/data)")
    p.add_argument("--lines", type=int, default=20, help="held-out lines of each set (default %(default)s)")
    p.add_argument("--sets", nargs="*", default=heldout.SETS, help="training sets whose held-out lines are asked")
    p.add_argument("--generator", type=int, default=30, help="generator documents (default %(default)s)")
    return p.parse_args()


def counted(predictor, documents, bar):
    """[(document, {leaf: Counts})] of one source."""
    rows = [{"id": d["id"], "document_text": d["text"], "template": d["template"]} for d in documents]
    out = []
    for d, (answer, _) in zip(documents, predictor.answers(rows)):
        out.append((d, score.score_document(d["template"], d["gold"], answer, d.get("alts"))[0]))
        bar.update()
    return out


def f1(scored, kinds=("scalar", "list", "records")):
    """Micro F1 over the leaves of these kinds."""
    total = score.Counts()
    for d, counts in scored:
        kind = {".".join(leaf.path): leaf.kind for leaf in score.leaves(d["template"])}
        total += sum((c for path, c in counts.items() if kind[path] in kinds), score.Counts())
    return float(score.prf(total)[2])


def main():
    args = options()
    begun = time.monotonic()
    predictor = predictors.open_predictor(args.predictor, args.model, args.binary)
    sources = {"business": sets.load("business", None), **heldout.of_sets(str(args.data), args.sets, args.lines)}
    if args.generator:
        sources["generator"] = heldout.of_generator(args.generator)
    with tqdm(total=sum(map(len, sources.values())), unit="doc", ncols=100, leave=False) as bar:
        scored = {name: counted(predictor, rows, bar) for name, rows in sources.items()}
    parts = {name: f1(s) for name, s in scored.items()}
    shown = [f"business {parts.pop('business'):.3f} (scalars {f1(scored['business'], ('scalar',)):.3f} lists "
             f"{f1(scored['business'], ('list',)):.3f} records {f1(scored['business'], ('records',)):.3f})"]
    if "generator" in parts:
        shown.append(f"generator {parts.pop('generator'):.3f}")
    shown.append(f"held-out mean {sum(parts.values()) / max(1, len(parts)):.3f}")
    print(" | ".join(shown + [" ".join(f"{n} {v:.2f}" for n, v in parts.items()), f"{time.monotonic() - begun:.0f} s"]))


if __name__ == "__main__":
    main()
