"""From an example (text, fields, exact spans) to the arrays the model reads. Used by train.py; shares its input layout with
reference.py and src/engine/local.c:

    [CLS] field* [SEP] document [SEP]        field := marker [type] key-pieces [":" description-pieces] option*
    option := OPTION option-pieces

A records field becomes one field of its own (marker RECORDS) and one list field per member.
"""
import os

from tokenizers import BertWordPieceTokenizer

import bases
from breaks import BREAKS, with_breaks
from reference import DEFAULTS, part_text

CLS, SEP, PAD = 101, 102, 0
SCALAR, LIST, RECORDS, ENUM, NUMBER, INTEGER, DATE, OPTION = 1, 2, 3, 4, 6, 7, 8, 9  # [unused] vocabulary ids
TYPES = {"number": NUMBER, "integer": INTEGER, "date": DATE}
# The layout is the reference's: what is trained is what is read.
KEY_PARTS, KEY_SEPARATOR = DEFAULTS["key_parts"], DEFAULTS["key_separator"]
KEY_PIECES, DESCRIPTION_PIECES, OPTION_PIECES = (DEFAULTS[k] for k in ("key_pieces", "description_pieces", "option_pieces"))
HEAD_PIECES, FIELDS_PER_PASS = DEFAULTS["head_pieces"], DEFAULTS["fields_per_pass"]
BOOLEAN = ["yes", "no"]


def key_text(path):
    return KEY_SEPARATOR.join(part_text(p) for p in path[-KEY_PARTS:])


class Encoder:
    def __init__(self, folder=None):
        self.tokenizer = BertWordPieceTokenizer(os.path.join(folder or bases.packaged(), "vocab.txt"), lowercase=True)
        self.cache = {}

    def pieces(self, text, limit):
        if text not in self.cache:
            if len(self.cache) > 300_000:
                self.cache.clear()
            self.cache[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self.cache[text][:limit]

    def head(self, marker, field, path, kind, spans, answer=None, options=()):
        """One field's pieces and targets; `options` are texts."""
        ids = [marker]
        if field.get("type") in TYPES:
            ids.append(TYPES[field["type"]])
        ids += self.pieces(key_text(path), KEY_PIECES)
        if field.get("description"):
            ids += self.pieces(": " + field["description"], DESCRIPTION_PIECES)
        at = []
        for option in options:
            at.append(len(ids))
            ids += [OPTION] + self.pieces(option, OPTION_PIECES)
        return {"ids": ids, "kind": kind, "spans": spans, "options": at, "answer": answer}

    def heads(self, field):
        path, kind = list(field["path"]), field["kind"]
        if kind == "scalar":
            return [self.head(SCALAR, field, path, kind, field["spans"])]
        if kind == "list":
            return [self.head(LIST, field, path, kind, field["spans"])]
        if kind in ("enum", "boolean"):
            boolean = kind == "boolean"
            answer = field["answer"]
            if boolean and answer is not None:
                answer = 0 if answer else 1
            return [self.head(ENUM, field, path, "enum", field.get("spans") or [], answer,
                              BOOLEAN if boolean else field["options"])]
        records = [r for r in field["records"] if r]
        whole = [[min(s[0] for s in r.values()), max(s[1] for s in r.values())] for r in records]
        out = [self.head(RECORDS, field, path, "list", whole)]
        for member in field["fields"]:
            spans = [r[member["key"]] for r in records if member["key"] in r]
            out.append(self.head(LIST, member, path + [member["key"]], "list", spans))
        return out

    def encode(self, example, rng, window):
        """-> dict of ids, document start, per-field markers and token targets, or None where nothing fits."""
        groups = [self.heads(f) for f in example["fields"]]
        if rng.random() < 0.6:
            rng.shuffle(groups)
        ids, fields = [CLS], []
        for group in groups:
            if len(ids) + sum(len(h["ids"]) for h in group) > min(HEAD_PIECES, window * 0.6):
                continue
            if len(fields) + len(group) > FIELDS_PER_PASS:
                continue
            for h in group:
                fields.append({**h, "marker": len(ids), "options": [len(ids) + o for o in h["options"]]})
                ids += h["ids"]
        if not fields:
            return None
        ids.append(SEP)
        first = len(ids)
        doc = self.tokenizer.encode(example["text"], add_special_tokens=False)
        pieces, offsets = with_breaks(example["text"], doc.ids, doc.offsets)
        room, at = window - first - 1, 0
        if not pieces:
            return None
        if len(pieces) > room:
            at = self._place(offsets, fields, room, rng)
        pieces, offsets = pieces[at:at + room], offsets[at:at + room]
        starts, ends = {}, {}
        for i, (a, b) in enumerate(offsets):
            if pieces[i] not in BREAKS:
                starts.setdefault(a, i)
                ends[b] = i
        for f in fields:
            f["tokens"] = []
            for a, b in f["spans"]:
                i = starts.get(a) if a in starts else next((n for n, o in enumerate(offsets) if o[0] <= a < o[1]), None)
                j = ends.get(b) if b in ends else next((n for n, o in enumerate(offsets) if o[0] < b <= o[1]), None)
                if i is not None and j is not None and i <= j:
                    f["tokens"].append((first + i, first + j))
        ids += pieces + [SEP]
        return {"ids": ids, "first": first, "fields": fields}

    @staticmethod
    def _place(offsets, fields, room, rng):
        """First piece of a window: often one that holds an answer; most windows of a long document hold none."""
        spans = [s for f in fields for s in f["spans"]]
        if not spans or rng.random() > 0.6:
            return rng.randint(0, len(offsets) - room)
        a = rng.choice(spans)[0]
        i = next((n for n, o in enumerate(offsets) if o[1] > a), 0)
        return max(0, min(len(offsets) - room, i - rng.randint(0, room - 1)))
