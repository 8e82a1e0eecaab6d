"""The public data sets, turned into examples (the format is that of generator/__init__.py). Used by train.py.

Only sets whose row in data/README.md says `ship: yes` may be named in mix.json: load() reads that table and refuses others.
Spans come from the set where it has them, else from a search for the value; a value that does not stand in the text makes
its field unusable and it is left out rather than taught as absent.
"""
import gzip
import json
import os
import random
import re

from generator.noise import answered, edit, unspoken

WHITE = re.compile(r"\s+")


def ship_table(data):
    """{set name: True where weights that ship may be trained on it}, read from data/README.md."""
    out = {}
    for line in open(os.path.join(data, "README.md"), encoding="utf-8"):
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if len(cells) == 8 and cells[6] in ("yes", "no", "check"):
            out[cells[0]] = cells[6] == "yes"
    return out


def find(text, value, limit=8):
    """[start, end) of each place where `value` stands as whole words, white space and case ignored."""
    words = str(value).split()
    if not words:
        return []
    pattern = r"\s+".join(map(re.escape, words))
    return [list(m.span()) for _, m in zip(range(limit), re.finditer(rf"(?<!\w){pattern}(?!\w)", text, re.I))]


def singular(key):
    for end, cut, add in (("ies", 3, "y"), ("sses", 2, ""), ("xes", 2, ""), ("ches", 2, "")):
        if key.endswith(end) and len(key) > 4:
            return key[:-cut] + add
    return key[:-1] if key.endswith("s") and not key.endswith(("ss", "us", "is")) else key


def words_of(text):
    return set(re.findall(r"[^\W_]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text).lower()))


def leaves(template, gold, path=()):
    for key, value in template.items():
        g = gold.get(key) if isinstance(gold, dict) else None
        if isinstance(value, dict):
            yield from leaves(value, g, path + (key,))
        else:
            yield path + (key,), value, g


def scalar_spans(row, path, value):
    spans = row.get("spans") or {}
    at = spans.get(".".join(path)) or spans.get(path[-1]) or []
    at = [s for s in at if s and s[0] is not None]
    return at or find(row["text"], value)


def records_of(row, path, members, gold):
    """Spans of each record's members: the set's own where given, else the first unused place after the record before."""
    out, spans, dotted, cursor = [], row.get("spans") or {}, ".".join(path), 0
    for n, record in enumerate(gold):
        if not isinstance(record, dict):
            return None
        one = {}
        for key in members:
            value = record.get(key)
            if value is None or isinstance(value, (list, dict)):
                continue
            at = spans.get(f"{dotted}[{n}].{key}")
            if not at:
                at = [s for s in find(row["text"], value, 50) if s[0] >= cursor][:1] or find(row["text"], value)[:1]
            if not at:
                return None
            one[key] = at[0]
        if one:
            out.append(one)
            cursor = min(s[0] for s in one.values())
    starts = [min(s[0] for s in r.values()) for r in out]
    return out if starts == sorted(set(starts)) else None


def convert(row, rng):
    """One data set line -> example or None."""
    fields, text = [], row["text"]
    about = row.get("descriptions") or {}
    shorts = row.get("short_names") or {}
    for path, shape, gold in leaves(row["template"], row["gold"]):
        note = about.get(".".join(path)) or about.get(path[-1])
        context = about.get("_context")
        if context:
            note = f"{context}: {note}" if note else context
        if isinstance(shape, list) and shape and isinstance(shape[0], dict):
            members = [k for k, v in shape[0].items() if not isinstance(v, (list, dict))]
            got = records_of(row, path, members, gold or [])
            if got is None or not members:
                continue
            fields.append({"path": list(path), "kind": "records", "type": None, "description": note,
                           "fields": [{"key": k, "type": None} for k in members], "records": got})
            continue
        listed = isinstance(shape, list)
        values = [] if gold is None else gold if isinstance(gold, list) else [gold]
        spans = scalar_spans(row, path, values[0]) if values and not listed else []
        if values and listed:
            spans = scalar_spans(row, path, values[0]) if (row.get("spans") or {}).get(".".join(path)) else \
                [s for v in values for s in find(text, v, 3)]
        if values and not spans:
            continue
        if not listed and len(values) > 1:
            listed = True
        shown = path[:-1] + (shorts[path[-1]],) if path[-1] in shorts and rng.random() < 0.5 else path
        fields.append(_field(shown, "list" if listed else "scalar", spans, note, rng))
    for f in fields:  # one value or none: asked for as one value too
        if f["kind"] == "list" and len({text[a:b].lower() for a, b in f["spans"]}) < 2 and rng.random() < 0.4:
            f["kind"], f["path"][-1] = "scalar", singular(f["path"][-1])
        elif f["kind"] == "scalar" and len(f["spans"]) < 2 and rng.random() < 0.04:
            f["kind"] = "list"
    empty = [f for f in fields if not answered(f)]
    full = [f for f in fields if answered(f)]
    rng.shuffle(empty)
    fields = full + empty[:max(2, len(full))]
    return {"text": text, "lang": row.get("lang", "en"), "kind": row["source"], "fields": fields} if fields else None


def _field(path, kind, spans, note, rng):
    note = note if note and rng.random() < 0.35 else None
    return {"path": list(path), "kind": kind, "type": None, "description": note, "spans": [list(s) for s in spans]}


class Corpus:
    """One set in memory; `draw` converts a random line each time, so shapes, names and absences vary."""

    def __init__(self, data, name, synonyms):
        with gzip.open(os.path.join(data, "train", name + ".jsonl.gz"), "rt", encoding="utf-8") as f:
            self.lines = [line for line in f]
        self.name, self.synonyms = name, synonyms
        # Every fiftieth line is held out of training; held_out() gives those.
        self.kept = [n for n in range(len(self.lines)) if n % 50]

    def draw(self, rng):
        for _ in range(20):
            example = convert(json.loads(self.lines[rng.choice(self.kept)]), rng)
            if example:
                return self.rename(example, rng)
        return None

    def key_of_another(self, rng):
        """A field name of this set, as a scalar path, to be asked where it has no answer."""
        row = json.loads(self.lines[rng.choice(self.kept)])
        names = [k for k, v in row["template"].items() if v is None or v == []]
        return [rng.choice(names)] if names else None

    def passage(self, rng):
        """The text of a random line, without what is asked of it."""
        return json.loads(self.lines[rng.choice(self.kept)])["text"]

    def held_out(self, limit):
        rng, out = random.Random(7), []
        for n in range(0, len(self.lines), 50):
            example = convert(json.loads(self.lines[n]), rng)
            if example:
                out.append(example)
        return out[:limit]

    def rename(self, example, rng):
        """Other names for a key where a hand-written synonym is known; singular and plural as kind demands."""
        for f in example["fields"]:
            key = f["path"][-1]
            if rng.random() < 0.4 and self.synonyms.get(key):
                f["path"] = f["path"][:-1] + [rng.choice(self.synonyms[key])]
        return example


def add_absent(example, corpora, rng):
    """Asks for up to three keys of other sets' documents too. Their words must not stand in this text or its keys, so that
    'absent' is true as far as a label could tell."""
    here = words_of(example["text"]) | {w for f in example["fields"] for w in words_of(" ".join(f["path"]))}
    for _ in range(rng.choice((1, 1, 2, 3))):
        path = rng.choice(corpora).key_of_another(rng)
        words = words_of(path[0]) if path else set()
        content = {w for w in words if len(w) > 3}
        if content and not content & here and not {singular(w) for w in content} & here:
            example["fields"].append({"path": path, "kind": "scalar" if rng.random() < 0.85 else "list", "type": None,
                                      "description": None, "spans": []})
            here |= words
    return example


def surround(example, prose, rng):
    """Puts the example's document between passages of other sets, as pages have more on them than what is asked for: the fields
    refer to the document as before. Lists are left out, and absent fields a passage may speak of; unchanged where no field stays.

    prose: [Corpus] of the example's language."""
    room, parts = rng.randint(300, 1800), []
    while room > 0:
        text = rng.choice(prose).passage(rng)
        parts.append(text if len(text) <= room else text[:text.rfind(" ", 0, room) + 1].rstrip())
        room -= len(text) + 100
    spoken = words_of(" ".join(parts))
    kept = [f for f in example["fields"] if f["kind"] != "list" and (answered(f) or unspoken(f, spoken))]
    if not any(map(answered, kept)):
        return example
    before = rng.randint(0, len(parts))
    gap = rng.choice(("\n\n", "\n\n", "\n", "\n\n---\n\n"))
    edits = [(0, 0, "".join(part + gap for part in parts[:before])),
             (len(example["text"]), len(example["text"]), "".join(gap + part for part in parts[before:]))]
    return {**example, "text": edit(example["text"], kept, edits), "fields": kept}


def load(data, mix):
    allowed = ship_table(data)
    bad = [n for n in mix if not allowed.get(n)]
    if bad:
        raise SystemExit(f"not marked `ship: yes` in {data}/README.md: {', '.join(bad)}")
    synonyms = json.load(open(os.path.join(data, "synonyms.json"), encoding="utf-8"))
    return {name: Corpus(data, name, synonyms) for name in mix}


def main():
    """Prints what a run will see of each set: lines, share, a sample's size, fields and absent fields."""
    import argparse
    from tqdm import tqdm
    p = argparse.ArgumentParser(description=main.__doc__)
    p.add_argument("--data", default="../../shared/data")
    p.add_argument("--mix", default="mix.json")
    args = p.parse_args()
    mix = json.load(open(args.mix))
    total, rng, rows = sum(mix.values()), random.Random(3), []
    sets = load(args.data, {n: w for n, w in mix.items() if n != "generator"})
    for name, corpus in tqdm(sets.items(), desc="sets", unit="set"):
        drawn = [e for e in (corpus.draw(rng) for _ in range(40)) if e]
        fields = [f for e in drawn for f in e["fields"]]
        absent = sum(not answered(f) for f in fields)
        chars = sum(len(e["text"]) for e in drawn) / max(1, len(drawn))
        rows.append((name, len(corpus.lines), mix[name] / total, chars, len(fields) / max(1, len(drawn)),
                     absent / max(1, len(fields))))
    print(f"{'set':24} {'lines':>7} {'share':>6} {'chars':>6} {'fields':>6} {'absent':>6}")
    for name, lines, share, chars, fields, absent in rows:
        print(f"{name:24} {lines:7} {share:6.1%} {chars:6.0f} {fields:6.1f} {absent:6.0%}")
    print(f"{'generator':24} {'':>7} {mix.get('generator', 0) / total:6.1%}")


if __name__ == "__main__":
    main()
