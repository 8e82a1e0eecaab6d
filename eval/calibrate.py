"""Fits when to answer and how sure to sound: python eval/calibrate.py --model train/weights/mini --into models/refractr-mini

Fitted on held-out data with the fp16 weights and written into config.json of their folder and of the int8 model made of them:
  inside_weight   how much a scalar's span must look inside throughout: low lets long values be whole
  null_bias       a value is given when its margin over null exceeds this
  list_threshold  a list's span is kept when its score exceeds this; from list_candidate on it counts as a near miss
  calibration     {"value", "null", "list", "enum", "cell": [a, b]}: confidence = sigmoid(a x + b) (Platt 1999), where x is the
                  margin of a value, minus the margin of a null, the logit of a list span's score, the margin of an option, the
                  evidence for a table's column
Held out are lines of the training sets no step saw, generator documents under a seed of their own, and our business documents:
the fit halves choose, the other halves report expected calibration error (ECE, 15 equal bins; Guo et al. 2017,
arXiv:1706.04599) and draw the reliability diagram. The measure-only sets are not touched.
"""
import argparse
import json
import random
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from tqdm import tqdm

import heldout
import normalise
import predictors
import score
import sets

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("value", "null", "list", "enum", "cell")
EVERYTHING = -1e9   # null_bias under which every field is answered, so that margins can be read
LOWEST = 0.15       # list spans are collected from here on (list_candidate)
BIASES = np.arange(-6, 3.01, 0.25)
THRESHOLDS = np.arange(LOWEST, 0.8, 0.02)
ALL_BUT = 0.005     # differences of F1 below this are the fit half's chance
WEIGHTS = (0.05, 0.1, 0.2, 0.3)


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default=ROOT / "train/weights/mini", help="folder of fp16 weights (default train/weights/mini)")
    p.add_argument("--into", help="folder of the int8 model whose config.json gets the same")
    p.add_argument("--predictor", choices=("torch", "reference"), default="torch", help="torch is the faster of two equals")
    p.add_argument("--data", default=ROOT.parent / "shared/data", help="folder with train/ (default ../shared/data)")
    p.add_argument("--lines", type=int, default=12, help="held-out lines of each training set (default %(default)s)")
    p.add_argument("--generator", type=int, default=200, help="generator documents (default %(default)s)")
    p.add_argument("--rare", type=int, default=1200, help="further generator documents, of which only options and table cells are "
                   "asked, as the rest has too few of them (default %(default)s)")
    p.add_argument("--picture", help="reliability diagram, PNG (default reliability.png beside the config written last)")
    p.add_argument("--dry-run", action="store_true", help="print, write nothing")
    return p.parse_args()


class Points:
    """What the model said and whether it was so. scalars: (margin, gold present, span right); lists: (score, right) and how many
    gold values there are; choices: (margin, gold present, option right); cells: (score of the column, right)."""

    def __init__(self):
        self.scalars, self.lists, self.choices, self.cells, self.list_gold = [], [], [], [], 0

    def add(self, other):
        self.scalars += other.scalars
        self.lists += other.lists
        self.choices += other.choices
        self.cells += other.cells
        self.list_gold += other.list_gold


def points_of(model, row):
    """Asks the model for everything it would say of one row."""
    import reference
    out, fields = Points(), reference.fields_of(row["template"])
    for f, found in zip(fields, model.find(row["text"], fields)):
        gold = gold_of(row, fields, f)
        also = score.variants(row.get("alts") or {}, f["path"])
        if "option" in found:
            said = None if found["option"] is None else f["options"][found["option"]]
            out.choices.append((found["margin"], gold is not None, gold is not None and normalise.same(gold, said)))
        elif "margin" in found:
            span = found["span"]
            right = gold is not None and span and any(
                normalise.same(v, row["text"][span[0]:span[1]], kind_of(f)) for v in [gold, *also])
            out.scalars.append((found["margin"], gold is not None, bool(right)))
        elif f["kind"] == "records":
            members = [m for m in fields if m["parent"] is not None and fields[m["parent"]] is f]
            golds = [[v for v in gold_of(row, fields, m) if v is not None] for m in members]
            for record in found["rows"]:
                out.cells += [(column, any(normalise.same(v, row["text"][a:b], kind_of(members[m])) for v in golds[m]))
                              for m, (a, b, column, kind) in record.items() if kind == "cell"]
        elif f["kind"] == "list":
            left = [v for v in gold or [] if v is not None]
            out.list_gold += len(left)
            for a, b, s in sorted(found["spans"], key=lambda m: -m[2]):
                hit = next((v for v in left if normalise.same(v, row["text"][a:b], kind_of(f))), None)
                out.lists.append((s, hit is not None))
                if hit is not None:
                    left.remove(hit)
    return out


def remembered(scores):
    """Model.scores that runs the encoder once per window, however often it is read with other constants."""
    known = {}

    def look_up(heads, ids):
        key = (repr(heads), tuple(ids))
        if key not in known:
            known[key] = scores(heads, ids)
        return known[key]
    return look_up


def points_of_all(model, sources, bar):
    """{source: Points}"""
    out = {}
    for name, rows in sources.items():
        out[name] = Points()
        for row in rows:
            out[name].add(points_of(model, row))
            bar.update()
    return out


def kind_of(field):
    return None if field["type"] in (None, "string") else field["type"]


def gold_of(row, fields, field):
    """The field's gold; of a records member the values of all records."""
    if field["parent"] is None:
        return score.at(row["gold"], field["path"])
    records = score.at(row["gold"], fields[field["parent"]]["path"]) or []
    return [r.get(field["path"][-1]) for r in records]


def scalar_f1(scalars, bias):
    right = sum(m > bias and ok for m, _, ok in scalars)
    said = sum(m > bias for m, _, _ in scalars)
    return 2 * right / max(1, said + sum(present for _, present, _ in scalars))


def list_f1(points, threshold):
    right = sum(s > threshold and ok for s, ok in points.lists)
    return 2 * right / max(1, sum(s > threshold for s, _ in points.lists) + points.list_gold)


def best_of(sources, candidates, f1, natural):
    """The candidate nearest to `natural`, where the loss puts the boundary, of those whose mean of f1 over the sources is all but
    the greatest: the curve is flat, and its very top is the fit half's chance."""
    means = np.array([np.mean([f1(p, c) for p in sources]) for c in candidates])
    near = np.nonzero(means > means.max() - ALL_BUT)[0]
    best = min(near, key=lambda n: abs(candidates[n] - natural))
    return float(candidates[best]), float(means[best])


def samples(points, bias, threshold):
    """{kind: [(x, true)]}: x as confidence is computed from it, and whether the answer was right."""
    out = {k: [] for k in KINDS}
    for margin, present, right in points.scalars:
        out["value" if margin > bias else "null"].append((margin, right) if margin > bias else (-margin, not present))
    out["list"] = [(float(np.log(s / (1 - min(s, 1 - 1e-6)))), right) for s, right in points.lists if s > threshold]
    out["cell"] = points.cells
    for margin, present, right in points.choices:
        if margin > bias:
            out["enum"].append((margin, right))
        else:
            out["null"].append((-margin, not present))
    return out


def platt(pairs):
    """(a, b) of the most likely sigmoid that does not fall; (1, 0) where there are too few pairs to say."""
    if len(pairs) < 20:
        return 1.0, 0.0
    x, y = np.array(pairs, float).T
    x = np.clip(x, -30, 30)
    loss = lambda p: np.logaddexp(0, -np.where(y > 0, 1, -1) * (p[0] * x + p[1])).sum() + 0.01 * (p ** 2).sum()
    a, b = minimize(loss, [0.5, 0.0], bounds=[(0, None), (None, None)]).x
    return float(a), float(b)


def confidences(pairs, ab):
    x, y = np.array(pairs, float).reshape(-1, 2).T
    return 1 / (1 + np.exp(-(ab[0] * np.clip(x, -30, 30) + ab[1]))), y


def ece(p, y, bins=15):
    """Expected calibration error: mean over answers of |share right - mean confidence| of their bin."""
    if not len(p):
        return 0.0
    at = np.minimum((p * bins).astype(int), bins - 1)
    return float(sum(abs(y[at == b].sum() - p[at == b].sum()) for b in range(bins)) / len(p))


def draw(path, results):
    """One panel per kind: share right over confidence, with the number of answers."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    shown = [(k, p, y) for k, (p, y) in results.items() if len(p) >= 20]
    figure, axes = plt.subplots(1, len(shown), figsize=(2.6 * len(shown), 2.8), sharey=True, squeeze=False)
    for axis, (kind, p, y) in zip(axes[0], shown):
        at = np.minimum((p * 10).astype(int), 9)
        full = [b for b in range(10) if (at == b).sum() >= 5]
        axis.plot([0, 1], [0, 1], color="0.8", lw=1)
        axis.plot([p[at == b].mean() for b in full], [y[at == b].mean() for b in full], "o-", ms=3, lw=1)
        axis.bar(np.arange(0.05, 1, 0.1), np.bincount(at, minlength=10) / len(p), 0.09, color="0.9", zorder=0)
        axis.set(title=f"{kind} (n={len(p)}, ECE {ece(p, y):.3f})", xlabel="confidence", xlim=(0, 1), ylim=(0, 1))
        axis.title.set_fontsize(8)
    axes[0][0].set_ylabel("share right")
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def with_rare_kinds_only(row):
    """The row with its options, booleans and lists of records alone; None where it has none."""
    import reference
    template, gold = {}, {}
    for f in reference.fields_of(row["template"]):
        if f["kind"] in ("enum", "records") and f["parent"] is None:
            heldout.put(template, f["path"], score.at(row["template"], f["path"]))
            heldout.put(gold, f["path"], score.at(row["gold"], f["path"]))
    return {**row, "template": template, "gold": gold} if template else None


def sources_of(args):
    """({"fit" | "report": {source: rows}}, {"fit" | "report": rows of rare kinds}): business by its own halves, the others line
    by line."""
    import corpora
    mix = json.load(open(ROOT / "train/mix.json"))
    corpora.load(str(args.data), {})  # fails early where the data folder is not one
    names = [n for n in mix if n != "generator"]
    halves = {"fit": {}, "report": {}}
    lines = [r for rows in heldout.of_sets(str(args.data), names, args.lines).values() for r in rows]
    business, generated = sets.load("business", None), heldout.of_generator(args.generator)
    rare = [r for r in map(with_rare_kinds_only, heldout.of_generator(args.rare, heldout.SEED + 1)) if r]
    random.Random(3).shuffle(lines)
    for n, half in enumerate(("fit", "report")):
        halves[half] = {"business": [d for d in business if d["split"] == half], "sets": lines[n::2], "generator": generated[n::2]}
    return halves, {"fit": rare[::2], "report": rare[1::2]}


def main():
    args = options()
    model = predictors.open_predictor(args.predictor, args.model, None).model
    model.config |= {"null_bias": EVERYTHING, "list_threshold": LOWEST, "list_candidate": LOWEST}
    halves, rare = sources_of(args)
    model.scores = remembered(model.scores)
    count = {half: sum(map(len, sources.values())) for half, sources in halves.items()}
    with tqdm(total=len(WEIGHTS) * count["fit"] + count["report"] + sum(map(len, rare.values())), unit="doc", ncols=100) as bar:
        tried = []
        for weight in WEIGHTS:
            model.config["inside_weight"] = weight
            fit = points_of_all(model, halves["fit"], bar)
            bias, f1_bias = best_of([p.scalars for p in fit.values()], BIASES, scalar_f1, 0)
            tried.append((f1_bias, weight, bias, fit))
        best = max(f for f, *_ in tried)
        f1_bias, weight, bias, fit = max((t for t in tried if t[0] > best - 0.002), key=lambda t: t[1])  # of equals the largest
        model.config["inside_weight"] = weight
        points = {"fit": fit, "report": points_of_all(model, halves["report"], bar)}
        pooled = points_of_all(model, rare, bar)  # the rest follows
    threshold, f1_list = best_of(list(fit.values()), THRESHOLDS, list_f1, 0.5)
    for half, sources in points.items():
        for p in sources.values():
            pooled[half].add(p)
    fitted = samples(pooled["fit"], bias, threshold)
    table = {k: tuple(round(v, 4) for v in platt(fitted[k])) for k in KINDS}
    results = {k: confidences(v, table[k]) for k, v in samples(pooled["report"], bias, threshold).items()}
    everything = [np.concatenate([r[i] for r in results.values()]) for i in (0, 1)]
    print("mean scalar F1 on the fit half by inside_weight: " + ", ".join(f"{w} {f:.3f}" for f, w, *_ in tried))
    print(f"inside_weight {weight}, null_bias {bias:+.2f} (mean scalar F1 on the fit half {f1_bias:.3f}), "
          f"list_threshold {threshold:.2f} (mean list F1 {f1_list:.3f})")
    for name in points["report"]:
        p = points["report"][name]
        print(f"  report half, {name:10} scalar F1 {scalar_f1(p.scalars, 0):.3f} at 0 -> {scalar_f1(p.scalars, bias):.3f}, "
              f"list F1 {list_f1(p, 0.5):.3f} at 0.5 -> {list_f1(p, threshold):.3f}")
    for k in KINDS:
        print(f"  {k:6} a {table[k][0]:+.3f} b {table[k][1]:+.3f}  report half: {len(results[k][0])} answers, "
              f"{np.mean(results[k][1]) if len(results[k][1]) else 0:.3f} right, ECE {ece(*results[k]):.3f}")
    print(f"  all    ECE {ece(*everything):.3f} over {len(everything[0])} answers of the report half")
    if not args.dry_run:
        fitted = {"inside_weight": weight, "null_bias": bias, "list_candidate": LOWEST, "list_threshold": round(threshold, 3),
                  "calibration": {k: list(v) for k, v in table.items()}}
        for folder in filter(None, (args.model, args.into)):
            path = Path(folder) / "config.json"
            config = json.load(open(path, encoding="utf-8")) | fitted
            path.write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draw(args.picture or Path(args.into or args.model) / "reliability.png", results)


if __name__ == "__main__":
    main()
