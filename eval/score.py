"""Scores answers against gold, field by field. Pure functions: no files, no models. Called by run.py, quick.py, calibrate.py.

A field is right when its value is the gold value or one of its accepted variants, as normalise.py compares. Every gold or
answered value falls into one count:

    right      the values agree
    missed     gold has a value, the answer none
    spurious   the answer has a value, gold none
    wrong      both have one and they differ: a miss and a spurious value at once
    null       neither has one: correct, but counted apart and in no score

P = right / (right + wrong + spurious), R = right / (right + wrong + missed), F1 their harmonic mean, over all fields of all
documents (micro). Lists are compared as multisets, records by the assignment that makes most members agree (Kuhn-Munkres,
scipy.optimize.linear_sum_assignment). Intervals: percentiles of 1,000 resamplings of documents (Efron 1979).
"""
from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import linear_sum_assignment

import normalise

SWAPPED, BOUNDS, OTHER = "another field's value", "wrong bounds", "other text"


@dataclass
class Counts:
    right: int = 0
    missed: int = 0
    wrong: int = 0
    spurious: int = 0
    null: int = 0

    def __add__(self, other):
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def faultless(self):
        return not (self.missed or self.wrong or self.spurious)


@dataclass(frozen=True)
class Fault:
    path: str
    kind: str       # missed, wrong, spurious
    detail: str     # SWAPPED, BOUNDS, OTHER; "" for missed
    gold: object
    answer: object


@dataclass(frozen=True)
class Leaf:
    path: tuple
    kind: str       # scalar, list, records
    type: str | None
    members: tuple = ()


def leaves(template, path=()):
    """The template's leaves in order, as Leaf; a record list is one leaf with its members."""
    out = []
    for key, value in template.items():
        here = path + (key,)
        if isinstance(value, dict) and "$type" not in value:
            out += leaves(value, here)
        else:
            out.append(leaf_of(value, here))
    return out


def leaf_of(value, path):
    if isinstance(value, dict):
        return leaf_of(value["$type"], path)
    if isinstance(value, str):
        return Leaf(path, "scalar", None if value == "string" else value)
    if isinstance(value, list) and len(value) == 1:
        inner = value[0]
        if isinstance(inner, dict) and "$type" not in inner:
            return Leaf(path, "records", None, tuple(leaf_of(v, (k,)) for k, v in inner.items()))
        one = Leaf(path, "scalar", None) if isinstance(inner, list) else leaf_of(inner, path)
        return Leaf(path, "list", one.type)
    return Leaf(path, "list" if value == [] else "scalar", None)


def at(tree, path):
    """The value at a path, None where the tree ends before it."""
    for key in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(key)
    return tree


def variants(alts, path):
    """Accepted variants of a path: `alts` may use the dotted path, its last part, or the template's own nesting."""
    return alts.get(".".join(path)) or alts.get(path[-1]) or at(alts, path) or []


def absent(value):
    return value is None or value == "" or value == []


def score_document(template, gold, answer, alts=None):
    """-> ({dotted path: Counts}, [Fault]). `answer` may lack keys: those count as null."""
    counts, faults, all_leaves = {}, [], leaves(template)
    gold_texts = {normalise.text(v): ".".join(leaf.path) for leaf in all_leaves for v in _flat(at(gold, leaf.path))}
    for leaf in all_leaves:
        dotted, g, a = ".".join(leaf.path), at(gold, leaf.path), at(answer, leaf.path)
        also = variants(alts or {}, leaf.path)
        if leaf.kind == "records":
            pairs = _records(leaf, g or [], a if isinstance(a, list) else [])
        elif leaf.kind == "list":
            pairs = [(dotted, x, y, r) for x, y, r in _multiset(leaf.type, g or [], _as_list(a), also)]
        else:
            a = a[0] if isinstance(a, list) and a else None if a == [] else a
            ok = not absent(g) and not absent(a) and any(normalise.same(v, a, leaf.type) for v in [g, *also])
            pairs = [(dotted, g, a, ok)]
        counts[dotted] = Counts()
        for path, x, y, right in pairs:
            counts[dotted] += _count(x, y, right)
            if not right and not (absent(x) and absent(y)):
                faults.append(_fault(path, x, y, gold_texts))
        if leaf.kind != "scalar" and not pairs:
            counts[dotted] = Counts(null=1)
    return counts, faults


def _flat(value):
    if isinstance(value, list):
        return [v for item in value for v in _flat(item)]
    if isinstance(value, dict):
        return [v for item in value.values() for v in _flat(item)]
    return [] if absent(value) else [value]


def _as_list(value):
    return [] if absent(value) else [v for v in value if not absent(v)] if isinstance(value, list) else [value]


def _count(gold, answer, right):
    if absent(gold) and absent(answer):
        return Counts(null=1)
    if absent(gold):
        return Counts(spurious=1)
    if absent(answer):
        return Counts(missed=1)
    return Counts(right=1) if right else Counts(wrong=1)


def _fault(path, gold, answer, gold_texts):
    if absent(answer):
        return Fault(path, "missed", "", gold, None)
    g, a = normalise.text(gold) if not absent(gold) else "", normalise.text(answer)
    if g and a and (g in a or a in g):
        detail = BOUNDS
    else:
        detail = SWAPPED if gold_texts.get(a, path) != path else OTHER
    return Fault(path, "spurious" if absent(gold) else "wrong", detail, gold, answer)


def _assign(gain):
    """Pairs (row, column) of the assignment with the greatest sum of gains; only pairs that gain something."""
    if not gain.size:
        return []
    return [(int(r), int(c)) for r, c in zip(*linear_sum_assignment(gain, maximize=True)) if gain[r, c] > 0]


def _multiset(kind, gold, answers, also):
    """[(gold, answer, right)]: equal values paired first, then what overlaps (wrong bounds), the rest alone."""
    accepted = [[g, *(also[n] if n < len(also) and isinstance(also[n], list) else [])] for n, g in enumerate(gold)]
    equal = np.array([[any(normalise.same(v, a, kind) for v in vs) for a in answers] for vs in accepted], float)
    near = np.array([[_overlap(g, a) for a in answers] for g in gold], float)
    pairs = _assign(equal.reshape(len(gold), len(answers)) * 1000 + near.reshape(len(gold), len(answers)))
    used_gold, used_answer = {r for r, _ in pairs}, {c for _, c in pairs}
    return ([(gold[r], answers[c], bool(equal[r, c])) for r, c in pairs]
            + [(g, None, False) for n, g in enumerate(gold) if n not in used_gold]
            + [(None, a, False) for n, a in enumerate(answers) if n not in used_answer])


def _overlap(a, b):
    x, y = set(normalise.text(a).split()), set(normalise.text(b).split())
    return len(x & y) / max(1, len(x | y))


def _records(leaf, gold, answers):
    """[(path, gold, answer, right)] of every member of every record. Records are paired so that most members agree."""
    answers = [a for a in answers if isinstance(a, dict)]

    def agree(g, a):
        both = [(g.get(m.path[-1]), a.get(m.path[-1]), m.type) for m in leaf.members]
        return sum(not absent(x) and not absent(y) and normalise.same(x, y, t) for x, y, t in both)
    gain = np.array([[agree(g, a) + 0.01 / (1 + abs(i - j)) for j, a in enumerate(answers)] for i, g in enumerate(gold)])
    pairs = _assign(gain.reshape(len(gold), len(answers)))
    used_gold, used_answer = {r for r, _ in pairs}, {c for _, c in pairs}
    rows = [(gold[r], answers[c]) for r, c in pairs] + [(g, {}) for n, g in enumerate(gold) if n not in used_gold] \
        + [({}, a) for n, a in enumerate(answers) if n not in used_answer]
    out = []
    for g, a in rows:
        for m in leaf.members:
            x, y = g.get(m.path[-1]), a.get(m.path[-1])
            right = not absent(x) and not absent(y) and normalise.same(x, y, m.type)
            out.append((".".join((*leaf.path, m.path[-1])), x, y, right))
    return out


def prf(c):
    """Counts or an array [..., (right, missed, wrong, spurious)] -> precision, recall, F1; 0 where undefined."""
    right, missed, wrong, spurious = (c.right, c.missed, c.wrong, c.spurious) if isinstance(c, Counts) else np.moveaxis(c, -1, 0)
    p = right / np.maximum(1, right + wrong + spurious)
    r = right / np.maximum(1, right + wrong + missed)
    return p, r, 2 * right / np.maximum(1, 2 * right + 2 * wrong + missed + spurious)


def interval(per_document, resamples=1000, seed=1):
    """95% interval of micro F1 over resampled documents. per_document: [Counts]."""
    table = np.array([[c.right, c.missed, c.wrong, c.spurious] for c in per_document], float)
    if not len(table):
        return 0.0, 0.0
    draws = np.random.default_rng(seed).integers(0, len(table), (resamples, len(table)))
    low, high = np.percentile(prf(table[draws].sum(1))[2], [2.5, 97.5])
    return float(low), float(high)


def summary(per_document):
    """[Counts] -> what a table row shows; all ratios 0..1."""
    total = sum(per_document, Counts())
    p, r, f1 = (float(v) for v in prf(total))
    low, high = interval(per_document)
    whole = sum(c.faultless for c in per_document) / max(1, len(per_document))
    return {"documents": len(per_document), "precision": p, "recall": r, "f1": f1, "low": low, "high": high, "whole": whole,
            **{f.name: getattr(total, f.name) for f in fields(total)}}
