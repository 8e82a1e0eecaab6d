"""Reference implementation of the extraction model: numpy only, readable; what src/engine/ must agree with.

    python3 reference.py --model FOLDER '{"document_text": "...", "template": {...}}'      one answer
    python3 reference.py --model FOLDER --golden < inputs.jsonl > golden.jsonl              inputs with the spans found

FOLDER holds model.safetensors (fp16, or int8 from quantize.py), vocab.txt, config.json. Needs numpy, tokenizers, safetensors.
Positions are Unicode code points of document_text. The layout of the input and the meaning of the heads: ARCHITECTURE.md.
"""
import argparse
import bisect
import json
import math
import os
import re
import sys
import unicodedata

import numpy as np
from safetensors.numpy import load_file
from tokenizers import BertWordPieceTokenizer

from breaks import BREAKS, PARAGRAPH, with_breaks
from columns import records
from grid import tables

CLS, SEP = 101, 102
MARKER = {"scalar": 1, "list": 2, "records": 3, "enum": 4}
TYPE_ID, OPTION = {"number": 6, "integer": 7, "date": 8}, 9
START, END, INSIDE = 0, 1, 2
NEVER = -60.0  # as a logit: no value begins or ends with a break
LEAST_EVIDENCE = 0.01  # for a cell of a table; less is none
WIDE_NAMES = {"attention.self.query": "qkv", "attention.self.key": "qkv", "attention.self.value": "qkv",
              "attention.output.dense": "attention_output", "intermediate.dense": "intermediate", "output.dense": "output"}
DEFAULTS = {"format": 2, "name": "refractr-mini", "version": "1.0", "key_parts": 3, "key_separator": " . ",
            "key_pieces": 24, "description_pieces": 32, "option_pieces": 8, "fields_per_pass": 24, "head_pieces": 224,
            "window": 512, "overlap": 64, "max_span": 60, "inside_weight": 0.3, "list_candidate": 0.3,
            "list_threshold": 0.5, "top_starts": 8, "record_start": 0.6, "yield_margin": 3.0, "breaks": True,
            "tables": True, "null_bias": 0.0, "enum": True}
FIRST_FORMAT = {**DEFAULTS, "format": 1, "yield_margin": 0, "record_start": 0.5, "key_parts": 2, "key_separator": " ",
                "head_pieces": 480, "overlap": 128, "breaks": False, "tables": False, "enum": False}
TYPE_NAMES = {"string", "number", "integer", "date", "boolean"}


def part_text(part):
    """'phoneNumber' -> 'phone number'; what has no letters or digits stays as it is."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", part)
    return re.sub(r"[_\-./]+", " ", words).lower().strip() or part


def fields_of(template, path=()):
    """Yields flat fields in template order: dicts of path, kind, type, description, options, parent.
    The members of a list of records follow it and carry its index in `parent`."""
    out = []

    def leaf(p, value, description=None, parent=None):
        f = {"path": p, "kind": "scalar", "type": None, "description": description, "options": [], "parent": parent}
        if isinstance(value, dict) and "$type" in value:
            return leaf(p, value["$type"], value.get("$description"), parent)
        if isinstance(value, str):
            f["type"] = value
            if value == "boolean":
                f |= {"kind": "enum", "options": ["yes", "no"]}
        elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and "$type" not in value[0]:
            f["kind"] = "records"
            out.append(f)
            at = len(out) - 1
            for key, member in value[0].items():
                leaf(p + (key,), member, parent=at)
            return
        elif isinstance(value, list) and len(value) > 1:
            f |= {"kind": "enum", "options": value}
        elif isinstance(value, list):
            f["kind"] = "list"
            if value and isinstance(value[0], list):
                f["options"] = value[0]
            elif value:
                inner = value[0]
                f["type"] = inner if isinstance(inner, str) else inner.get("$type")
                f["description"] = inner.get("$description") if isinstance(inner, dict) else description
        if parent is not None and f["kind"] == "scalar":
            f["kind"] = "list"
        out.append(f)

    def walk(t, p):
        for key, value in t.items():
            if isinstance(value, dict) and "$type" not in value:
                walk(value, p + (key,))
            else:
                leaf(p + (key,), value)

    walk(template, path)
    return out


def log_softmax(x):
    x = x - x.max()
    return x - np.log(np.exp(x).sum())


def log_sigmoid(x):
    return -np.logaddexp(0, -x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(v):
    """0.5 v (1 + erf(v / sqrt 2)); erf by Abramowitz and Stegun 7.1.26, |error| < 1.5e-7."""
    z = np.abs(v) * np.float32(0.5 ** 0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return 0.5 * v * (1 + np.sign(v) * (1 - poly * np.exp(-z * z)))


class Model:
    """exact: the inputs of int8 products are not rounded to bytes, as the engine rounds them."""

    def __init__(self, folder, exact=False):
        self.exact = exact
        config = json.load(open(os.path.join(folder, "config.json")))
        self.config = {**(DEFAULTS if config.get("format", 1) >= 2 else FIRST_FORMAT), **config}
        raw = load_file(os.path.join(folder, "model.safetensors"))
        self.int8 = {k[:-7] for k, v in raw.items() if k.endswith(".weight") and v.dtype == np.int8
                     and "embeddings" not in k}
        self.w = {}
        for k, v in raw.items():
            if v.dtype == np.int8:
                self.w[k] = v.astype(np.float32) * raw[k + ".scale"].reshape(-1, 1)
            elif not k.endswith(".scale"):
                self.w[k] = v.astype(np.float32)
        self.tokenizer = BertWordPieceTokenizer(os.path.join(folder, "vocab.txt"), lowercase=True)

    def pieces(self, text):
        """WordPiece ids and their [start, end) offsets."""
        e = self.tokenizer.encode(text, add_special_tokens=False)
        return e.ids, e.offsets

    def smooth(self, name):
        """What quantize.py divided each input channel of an int8 product's weights by: the input is multiplied by it."""
        return self.w.get(name.replace("self.key", "self.query").replace("self.value", "self.query") + ".smooth", 1)

    def linear(self, x, name):
        if name in self.int8:
            x = x * self.smooth(name)
            x = x if self.exact else self.rounded(x, name)
        return x @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def rounded(self, x, name):
        """Per row, in 8 bits or two planes of 8, as the engine does it where the processor has VNNI (else 7)."""
        wide = WIDE_NAMES[name.split(".", 4)[4]] in self.config.get("wide_activations", [])
        low, high = np.minimum(x.min(-1, keepdims=True), 0), np.maximum(x.max(-1, keepdims=True), 0)
        scale = np.maximum(high - low, 1e-12) / (65535 if wide else 255)
        zero = np.rint(-low / scale)
        return (np.rint(x / scale + zero) - zero) * scale

    def norm(self, x, name):
        m = x.mean(-1, keepdims=True)
        v = ((x - m) ** 2).mean(-1, keepdims=True)
        return (x - m) / np.sqrt(v + self.config["layer_norm_eps"]) * self.w[name + ".weight"] + self.w[name + ".bias"]

    def encode(self, ids, types):
        """BERT, post-norm, exact GELU. ids, types: L -> hidden states L x H."""
        e = "enc.embeddings."
        x = self.w[e + "word_embeddings.weight"][ids] + self.w[e + "position_embeddings.weight"][: len(ids)]
        x = self.norm(x + self.w[e + "token_type_embeddings.weight"][types], e + "LayerNorm")
        heads, size = self.config["num_attention_heads"], x.shape[1] // self.config["num_attention_heads"]
        split = lambda y: y.reshape(len(ids), heads, size).transpose(1, 0, 2)
        for n in range(self.config["num_hidden_layers"]):
            p = f"enc.encoder.layer.{n}."
            q, k, v = (split(self.linear(x, p + "attention.self." + part)) for part in ("query", "key", "value"))
            a = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(size))
            a = np.exp(a - a.max(-1, keepdims=True))
            a = (a / a.sum(-1, keepdims=True)) @ v
            a = a.transpose(1, 0, 2).reshape(len(ids), -1)
            x = self.norm(x + self.linear(a, p + "attention.output.dense"), p + "attention.output.LayerNorm")
            h = gelu(self.linear(x, p + "intermediate.dense"))
            x = self.norm(x + self.linear(h, p + "output.dense"), p + "output.LayerNorm")
        return x

    def head(self, f):
        """One field's pieces; positions of its option markers within them."""
        c = self.config
        parts = [part_text(p) for p in f["path"][-c["key_parts"]:]] if c["format"] >= 2 else \
            [re.sub(r"[_\-./]+", " ", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", " ".join(f["path"][-c["key_parts"]:])))
             .lower().strip()]
        kind = f["kind"] if c["enum"] or f["kind"] not in ("records", "enum") else "list" \
            if f["kind"] == "records" else "scalar"
        ids, options = [MARKER[kind]], []
        if c["format"] >= 2 and f["type"] in TYPE_ID:
            ids.append(TYPE_ID[f["type"]])
        ids += self.pieces(c["key_separator"].join(parts))[0][:c["key_pieces"]]
        if c["format"] >= 2 and f["description"]:
            ids += self.pieces(": " + f["description"])[0][:c["description_pieces"]]
        for option in f["options"] if c["enum"] else ():
            options.append(len(ids))
            ids += [OPTION] + self.pieces(option)[0][:c["option_pieces"]]
        return ids, options

    def scores(self, heads, ids):
        """One window. heads: [(pieces, option positions)]; ids: the window's pieces.
        Returns score 3 x F x T, null F x 2, and per field its option scores."""
        head, markers, options = [CLS], [], []
        for pieces, at in heads:
            markers.append(len(head))
            options.append([len(head) + o for o in at])
            head += pieces
        head.append(SEP)
        x = self.encode(head + ids + [SEP], [0] * len(head) + [1] * (len(ids) + 1))
        d = self.config["head_dim"]
        f, t = x[markers], x[len(head):len(head) + len(ids)]
        q = self.linear(f, "q").reshape(-1, 3, d).transpose(1, 0, 2)
        k = self.linear(t, "k").reshape(-1, 3, d).transpose(1, 0, 2)
        score = q @ k.transpose(0, 2, 1) / d ** 0.5 + self.linear(f, "qb").T[:, :, None]
        score[:END + 1, :, np.isin(ids, BREAKS)] = NEVER
        return score, self.linear(f, "null"), [self.linear(x[o], "opt")[:, 0] if o else None for o in options]

    def passes(self, heads, fields):
        """Groups of field indices that share a pass: in order, a records field kept with its members where they fit."""
        c, out, group, used = self.config, [], [], 0
        units, n = [], 0
        while n < len(fields):
            end = n + 1
            while end < len(fields) and fields[end]["parent"] is not None and fields[end]["parent"] >= n:
                end += 1
            size = sum(len(heads[i][0]) for i in range(n, end))
            fits = end - n <= c["fields_per_pass"] and size <= c["head_pieces"]
            units += [list(range(n, end))] if fits else [[i] for i in range(n, end)]
            n = end
        for unit in units:
            size = sum(len(heads[i][0]) for i in unit)
            if group and (len(group) + len(unit) > c["fields_per_pass"] or used + size > c["head_pieces"]):
                out.append(group)
                group, used = [], 0
            group, used = group + unit, used + size
        return out + [group] if group else out

    def find(self, text, fields):
        """For each field what the windows found:
        scalar, enum: {"margin", "span" or None, "option"}; list, records: {"spans": [(start, end, score)], "near": n}; records
        also {"rows": [{member's number: (start, end, score, "cell" or "list")}]}."""
        c = self.config
        ids, offsets = self.pieces(text)
        if c["breaks"]:
            ids, offsets = with_breaks(text, ids, offsets)
        heads = [self.head(f) for f in fields]
        ends = paragraph_ends(ids)
        cells = cells_of(text, offsets) if c["tables"] and any(f["kind"] == "records" for f in fields) else []
        found = [{"best": None, "spans": [], "option": None, "list": [], "near": [], "starts": [], "cells": {}} for _ in fields]
        for group in self.passes(heads, fields):
            room, at = c["window"] - 3 - sum(len(heads[i][0]) for i in group), 0
            while True:
                score, null, options = self.scores([heads[i] for i in group], ids[at:at + room])
                for g, i in enumerate(group):
                    self.collect(found[i], fields[i], score[:, g], null[g], options[g], at, ends[at:] - at)
                    if fields[i]["parent"] is not None:
                        weigh_cells(found[i]["cells"], score[:, g], cells, at)
                if at + room >= len(ids):
                    break
                at += room - c["overlap"]
        if c["yield_margin"]:
            share_places(fields, found, c)
        settled = [self.settle(f, w, offsets) for f, w in zip(fields, found)]
        for i, f in enumerate(fields):
            if f["kind"] == "records":
                members = [j for j, m in enumerate(fields) if m["parent"] == i]
                names = [set(self.pieces(part_text(fields[j]["path"][-1]))[0]) for j in members]
                settled[i]["rows"] = rows_of(settled[i]["starts"], [settled[j]["spans"] for j in members],
                                             [found[j]["cells"] for j in members], cells, names, ids, offsets)
        return settled

    def collect(self, into, field, score, null, options, at, ends):
        if score.shape[1] == 0:
            return
        if options is not None and field["kind"] == "enum":
            best = int(options.argmax())
            margin = float(options[best] - null[0])
            if into["option"] is None or margin > into["option"][0]:
                _, a, b = best_span(score, null, ends, self.config)
                s, e = log_softmax(score[START]), log_softmax(score[END])
                seen = min(s[a], e[b]) > math.log(0.3)
                into["option"] = (margin, best, (at + a, at + b) if seen else None)
        elif field["kind"] in ("scalar", "enum"):
            into["spans"] += [(margin, at + a, at + b) for margin, a, b in scalar_spans(score, null, ends, self.config)]
            into["best"] = max(into["spans"], key=lambda s: s[0])
        else:
            keep, near = list_spans(score, ends, self.config)
            into["list"] += [(v, at + a, at + b) for v, a, b in keep]
            into["near"] += [(v, at + a, at + b) for v, a, b in near]
            if field["kind"] == "records":
                s = sigmoid(score[START])
                into["starts"] += [at + int(t) for t in np.nonzero(s > self.config["record_start"])[0]]

    def settle(self, field, w, offsets):
        bias = self.config["null_bias"]
        if w["option"] is not None:
            margin, best, span = w["option"]
            return {"margin": margin, "option": best if margin > bias else None,
                    "span": span and (offsets[span[0]][0], offsets[span[1]][1])}
        if field["kind"] in ("scalar", "enum"):
            if w["best"] is None:
                return {"margin": -1e9, "span": None}
            margin, a, b = w["best"]
            return {"margin": margin, "span": (offsets[a][0], offsets[b][1]) if margin > bias else None}
        keep = without_overlap(w["list"])
        near = [n for n in without_overlap(w["near"]) if all(n[2] < x or n[1] > y for _, x, y in keep)]
        return {"spans": [(offsets[a][0], offsets[b][1], float(v)) for v, a, b in sorted(keep, key=lambda m: m[1])],
                "near": len(near), "starts": sorted({offsets[t][0] for t in w["starts"]})}

    def extract(self, text, template):
        """The template filled with the document's own text (typed values are the engine's business)."""
        fields = fields_of(template)
        found = self.find(text, fields)
        values = {}
        for i, (f, w) in enumerate(zip(fields, found)):
            if f["parent"] is not None:
                continue
            if f["kind"] == "records":
                members = [j for j, m in enumerate(fields) if m["parent"] == i]
                values[f["path"]] = [{fields[j]["path"][-1]: text[r[m][0]:r[m][1]] if m in r else None
                                      for m, j in enumerate(members)} for r in w["rows"]]
            elif f["kind"] == "list":
                texts = [text[a:b] for a, b, _ in w["spans"]]
                if f["options"]:
                    texts = [o for o in (option_of(t, f["options"]) for t in texts) if o]
                values[f["path"]] = said_once(texts, always=bool(f["options"]))
            elif f["kind"] == "enum" and "option" in w:
                answer = None if w["option"] is None else f["options"][w["option"]]
                values[f["path"]] = {"yes": True, "no": False, None: None}[answer] if f["type"] == "boolean" else answer
            else:
                value = text[w["span"][0]:w["span"][1]] if w["span"] else None
                values[f["path"]] = option_of(value, f["options"]) if f["kind"] == "enum" and value else value

        def fill(t, path=()):
            return {k: fill(v, path + (k,)) if isinstance(v, dict) and "$type" not in v else values[path + (k,)]
                    for k, v in t.items()}
        return fill(template)


def paragraph_ends(ids):
    """Of each piece, the index behind its paragraph's last piece: no value runs on over an empty line."""
    ends, end = np.empty(len(ids), int), len(ids)
    for n in reversed(range(len(ids))):
        ends[n] = end
        if ids[n] == PARAGRAPH:
            end = n
    return ends


def scalar_spans(score, null, ends, c):
    """The best span from each of the likeliest starts of a window: [(margin over null, first piece, last piece)], best first."""
    start = log_softmax(np.concatenate([null[:1], score[START]]))
    end = log_softmax(np.concatenate([null[1:], score[END]]))
    inside = np.concatenate([[0], np.cumsum(log_sigmoid(score[INSIDE]))])
    n, found = score.shape[1], []
    for a in np.argsort(-start[1:], kind="stable")[:c["top_starts"]]:
        stop = min(n, a + c["max_span"], ends[a])
        v = start[1 + a] + end[1 + a:1 + stop] + c["inside_weight"] * (inside[a + 1:stop + 1] - inside[a])
        b = int(v.argmax())
        found.append((float(v[b] - (start[0] + end[0])), int(a), int(a) + b))
    return sorted(found, key=lambda f: -f[0])


def best_span(score, null, ends, c):
    """The best span of a window: (margin over null, first piece, last piece)."""
    return scalar_spans(score, null, ends, c)[0]


def share_places(fields, found, c):
    """Two values that claim the same words: the surer keeps them, the other takes its best free span where that costs less than
    `yield_margin`, else shares. Changes found[i]["best"] of scalars."""
    taken = []
    claims = [i for i, f in enumerate(fields) if f["kind"] in ("scalar", "enum") and found[i]["option"] is None
              and found[i]["best"] and found[i]["best"][0] > c["null_bias"]]
    for i in sorted(claims, key=lambda i: -found[i]["best"][0]):
        floor = max(found[i]["best"][0] - c["yield_margin"], c["null_bias"])
        for span in sorted(found[i]["spans"], key=lambda s: -s[0]):
            if span[0] > floor and all(span[1] > b or span[2] < a for _, a, b in taken):
                found[i]["best"] = span
                break
        taken.append(found[i]["best"])


def list_spans(score, ends, c):
    """Spans over the threshold, and those just under it; each (score, first, last), best first, without overlap."""
    s, e, i = sigmoid(score)
    over, under = [], []
    for a in np.nonzero(s > c["list_candidate"])[0]:
        for b in np.nonzero(e > c["list_candidate"])[0]:
            if a <= b <= a + c["max_span"] and b < ends[a]:
                v = (s[a] * e[b] * max(i[a:b + 1].min(), 1e-3)) ** (1 / 3)
                if v > c["list_candidate"]:
                    (over if v > c["list_threshold"] else under).append((v, int(a), int(b)))
    return without_overlap(over), without_overlap(under)


def without_overlap(spans):
    keep = []
    for v, a, b in sorted(spans, key=lambda m: (-m[0], m[1], m[2])):
        if all(b < x or a > y for _, x, y in keep):
            keep.append((v, a, b))
    return keep


def cells_of(text, offsets):
    """Tables of the text as [{column: (first, last) piece} per row], without cells that hold no piece."""
    begins, ends, out = [a for a, _ in offsets], [b for _, b in offsets], []
    for table in tables(text):
        rows = [{c: (bisect.bisect_right(ends, a), bisect.bisect_left(begins, b) - 1) for c, (a, b) in row.items()} for row in table]
        rows = [{c: (a, b) for c, (a, b) in row.items() if a <= b} for row in rows]
        out.append([row for row in rows if row])
    return [table for table in out if len(table) >= 2]


def weigh_cells(evidence, score, cells, at):
    """One member's evidence for the cells that stand in a window: evidence[table][row, column], the best of all windows."""
    for t, table in enumerate(cells):
        into = evidence.setdefault(t, {})
        for r, row in enumerate(table):
            for c, (first, last) in row.items():
                if first >= at and last < at + score.shape[1]:
                    best = sigmoid(score[:, first - at:last - at + 1].max(1))
                    seen = float(best[START] * best[END] * best[INSIDE]) ** (1 / 3)
                    if seen > max(into.get((r, c), 0.0), LEAST_EVIDENCE):
                        into[r, c] = seen


def rows_of(starts, spans, evidence, cells, names, ids, offsets):
    """Records in document order, [{member: (start, end, score, "cell" or "list")}]: from the tables that answer, and from the
    spans before, between and behind these."""
    place = lambda first, last: (offsets[first][0], offsets[last][1])
    out, taken = [], []
    for t, table in enumerate(cells):
        stands = [{c: place(*cell) for c, cell in row.items()} for row in table]
        found = records(table, stands, [e.get(t, {}) for e in evidence], spans, names, ids)
        if found:
            taken.append((min(a for a, _ in stands[0].values()), max(b for _, b in stands[-1].values())))
            out += found
    for first, stop in zip([0] + [b for _, b in taken], [a for a, _ in taken] + [math.inf]):
        out += group_records([s for s in starts if first <= s < stop],
                             {m: [s for s in found if first <= s[0] < stop] for m, found in enumerate(spans)})
    return sorted(out, key=lambda record: min(record.values()))


def group_records(starts, members):
    """Values to records. starts: where records begin; members: key -> [(start, end, score)] in document order.
    Members that never interleave and are equally many are zipped. Else a value belongs to the last record that begins at or
    before it, those before the first to the first, and another record begins where a member comes again."""
    flat = sorted(((a, b, v, k) for k, spans in members.items() for a, b, v in spans))
    if not flat:
        return []
    counts = {k: len(s) for k, s in members.items() if s}
    blocks = [k for n, (_, _, _, k) in enumerate(flat) if n == 0 or flat[n - 1][3] != k]
    if len(counts) > 1 and len(set(counts.values())) == 1 and max(counts.values()) > 1 and len(blocks) == len(counts):
        n = max(counts.values())
        return [{k: (*members[k][r], "list") for k in counts} for r in range(n)]
    rows, begun = [], 0
    for a, b, v, k in flat:
        at = sum(1 for s in starts if s <= a)
        if not rows or k in rows[-1] or (at != begun and begun > 0):
            rows.append({})
        begun = at
        rows[-1][k] = (a, b, v, "list")
    return rows


def said_once(texts, always):
    """Names and options are listed once however often they are said; equal amounts may be different things."""
    return [t for n, t in enumerate(texts) if t not in texts[:n] or not (always or re.fullmatch("[^0-9]*", t))]


def option_of(text, options):
    """The option a text names: equal but for case, else contained in it as words."""
    fold = lambda s: unicodedata.normalize("NFKC", s).casefold().replace("_", " ").strip()
    t = fold(text)
    for o in options:
        if fold(o) == t:
            return o
    for o in options:
        if re.search(rf"(?<!\w){re.escape(fold(o))}(?!\w)", t):
            return o
    return None


def spans_line(model, d):
    """A golden line: the input with what was found per field. A list of records carries its rows: key -> [start, end]."""
    fields = fields_of(d["template"])
    found = model.find(d["document_text"], fields)
    tidy = lambda w: {"option": w["option"], "margin": round(w["margin"], 4)} if "option" in w else \
        {"spans": [[a, b, round(v, 4)] for a, b, v in w["spans"]]} if "spans" in w else \
        {"spans": [[*w["span"], round(w["margin"], 4)]] if w["span"] else []}
    lines = [{"path": ".".join(f["path"]), "kind": f["kind"], **tidy(w)} for f, w in zip(fields, found)]
    for i, f in enumerate(fields):
        if f["kind"] == "records":
            members = [m["path"][-1] for m in fields if m["parent"] == i]
            lines[i]["rows"] = [{members[m]: v[:2] for m, v in row.items()} for row in found[i]["rows"]]
    return {**d, "found": lines}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True)
    p.add_argument("--golden", action="store_true")
    p.add_argument("request", nargs="?")
    args = p.parse_args()
    model = Model(args.model)
    if args.golden:
        for line in sys.stdin:
            print(json.dumps(spans_line(model, json.loads(line)), ensure_ascii=False), flush=True)
    elif args.request:
        d = json.loads(args.request)
        print(json.dumps(model.extract(d["document_text"], d["template"]), ensure_ascii=False))
    else:
        p.error("give a request or --golden")


if __name__ == "__main__":
    main()
