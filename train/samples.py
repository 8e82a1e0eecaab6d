"""Sample texts with templates for quantize.py, as JSON lines: python samples.py --data FOLDER --count 240 > samples.jsonl

Half from the document generator, half from the sets of mix.json by their shares, so only sets whose licence lets them shape
weights that ship. A seed of its own keeps them apart from held-out scores.
"""
import argparse
import json
import random

import corpora
from generator import Generator

SEED = 20_260_101


def leaf_of(field):
    """The template leaf that asks for this field."""
    kind = field["kind"]
    if kind == "records":
        return [{m["key"]: m["type"] for m in field["fields"]}]
    if kind == "list":
        return [field["type"]] if field["type"] else []
    if kind == "enum":
        return list(field["options"])
    return "boolean" if kind == "boolean" else field["type"]


def template_of(example):
    """The example's fields as a template; a path that another leaf stands in the way of is left out."""
    template = {}
    for field in example["fields"]:
        at, path = template, field["path"]
        for key in path[:-1]:
            at = at.setdefault(key, {}) if isinstance(at, dict) else None
        if isinstance(at, dict):
            at.setdefault(path[-1], leaf_of(field))
    return template


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default="../../shared/data")
    p.add_argument("--mix", default="mix.json")
    p.add_argument("--count", type=int, default=240)
    args = p.parse_args()
    rng, generator = random.Random(SEED), Generator(SEED)
    shares = {n: w for n, w in json.load(open(args.mix)).items() if n != "generator"}
    sets = corpora.load(args.data, shares)
    for n in range(args.count):
        name = rng.choices(list(shares), list(shares.values()))[0]
        example = generator.example() if n % 2 else sets[name].draw(rng)
        if example:
            print(json.dumps({"text": example["text"], "template": template_of(example)}, ensure_ascii=False))


if __name__ == "__main__":
    main()
