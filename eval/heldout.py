"""Held-out lines of the training sets and fresh generator documents, as rows the scorer reads (text, template, gold, alts).

No training step sees a line of Corpus.held_out(), and the generator runs under a seed of its own. Used by quick.py and
calibrate.py. Examples come in the generator's format (train/generator/__init__.py).
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "train"))

import corpora  # noqa: E402  (train/ is on the path only now)

SETS = ["cuad_contracts", "phee_drug_safety", "knowledgenet_bios", "schemaorg", "xero_business_docs", "wikitables",
        "infotabs_infobox", "product_ae_110k", "redocred", "sgd_dialogues"]
SEED = 555_000_111


def row_of(example, name, number):
    """One example -> row. A scalar may be any of its mentions; list values that repeat are asked for once."""
    template, gold, alts, text = {}, {}, {}, example["text"]
    for f in example["fields"]:
        leaf, value, also = shape_of(f, text)
        if put(template, f["path"], leaf):
            put(gold, f["path"], value)
            alts[".".join(f["path"])] = also
    return {"id": f"{name}-{number}", "lang": example.get("lang", "en"), "text": text, "template": template, "gold": gold,
            "alts": alts}


def shape_of(field, text):
    """-> (template leaf, gold value, accepted variants)."""
    said = [text[a:b] for a, b in field.get("spans") or []]
    kind, also = field["kind"], []
    if kind == "scalar":
        leaf, value, also = field["type"], said[0] if said else None, said
    elif kind == "list":
        leaf, value = [field["type"]] if field["type"] else [], list(dict.fromkeys(said))
    elif kind == "boolean":
        leaf, value = "boolean", field["answer"]
    elif kind == "enum":
        leaf, value = list(field["options"]), None if field["answer"] is None else field["options"][field["answer"]]
    else:
        return ([{m["key"]: m["type"] for m in field["fields"]}],
                [{m["key"]: text[slice(*r[m["key"]])] if m["key"] in r else None for m in field["fields"]}
                 for r in field["records"] if r], [])
    if field.get("description"):
        leaf = {"$type": leaf, "$description": field["description"]} if kind != "list" else \
            [{"$type": field["type"], "$description": field["description"]}]
    return leaf, value, also


def put(tree, path, value):
    """Sets tree[path], False where the path is taken or runs through a leaf."""
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict) or "$type" in tree:
            return False
    if path[-1] in tree:
        return False
    tree[path[-1]] = value
    return True


def of_sets(data, names, limit, skip=0):
    """{set: rows}: `limit` held-out lines of each training set, after the first `skip`."""
    synonyms = {}
    out = {}
    for name in names:
        examples = corpora.Corpus(data, name, synonyms).held_out(skip + limit)[skip:]
        out[name] = [row_of(e, name, n) for n, e in enumerate(examples)]
    return out


def of_generator(count, seed=SEED):
    """`count` generator documents no training run with a small seed has seen."""
    from generator import Generator
    source = Generator(seed)
    return [row_of(source.example(), "generator", n) for n in range(count)]
