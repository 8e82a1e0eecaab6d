"""The development set is sound: every gold value stands in its document, typed ones are normalised, shapes agree."""
import json
import re
from collections import Counter
from pathlib import Path

import normalise
import score

SET = Path(__file__).resolve().parents[2] / "eval/business.jsonl"
DOCUMENTS = [json.loads(line) for line in open(SET, encoding="utf-8")]


def values():
    """(document, dotted path, leaf, gold) of every single value, lists and records taken apart."""
    for d in DOCUMENTS:
        for leaf in score.leaves(d["template"]):
            gold = score.at(d["gold"], leaf.path)
            if leaf.kind == "records":
                for record in gold:
                    for m in leaf.members:
                        yield d, ".".join((*leaf.path, *m.path)), m, record[m.path[-1]]
            else:
                for v in gold if isinstance(gold, list) else [gold]:
                    yield d, ".".join(leaf.path), leaf, v


def spaced(text):
    return " ".join(text.split())


def options(d, leaf):
    shape = score.at(d["template"], leaf.path)
    return shape if isinstance(shape, list) and len(shape) > 1 else None


def test_size_and_halves():
    assert len(DOCUMENTS) == 60
    assert Counter(d["split"] for d in DOCUMENTS) == {"fit": 30, "report": 30}
    assert all(Counter(d["lang"] for d in DOCUMENTS)[lang] == 3 for lang in ("de", "fr", "es", "it"))


def test_texts_and_templates_are_of_the_promised_size():
    wrong = [(d["id"], len(d["text"]), len(score.leaves(d["template"]))) for d in DOCUMENTS
             if not 300 <= len(d["text"]) <= 2500 or not 4 <= len(score.leaves(d["template"])) <= 14]
    assert not wrong


def test_untyped_gold_stands_in_the_document():
    lost = [(d["id"], path, v) for d, path, leaf, v in values()
            if v is not None and leaf.type is None and not options(d, leaf) and spaced(v) not in spaced(d["text"])]
    assert not lost


def test_typed_gold_is_normalised_and_its_writing_stands_in_the_document():
    wrong = []
    for d, path, leaf, v in values():
        if v is None or leaf.type is None:
            continue
        if leaf.type == "date":
            ok = re.fullmatch(r"\d{4}-\d\d-\d\d", v)
        elif leaf.type == "boolean":
            ok = isinstance(v, bool)
        else:
            found = re.findall(r"\d[\d.,']*", d["text"]) + re.findall(r"\d(?:[\d.,']| (?=\d))*", d["text"])
            ok = not isinstance(v, bool) and any(v in normalise.numbers(f) or -v in normalise.numbers(f) for f in found)
        if not ok:
            wrong.append((d["id"], path, v))
    assert not wrong


def test_enum_gold_is_an_option():
    assert all(v in options(d, leaf) for d, _, leaf, v in values() if v is not None and options(d, leaf))


def test_absent_fields_are_a_fair_share():
    leaves = [score.absent(score.at(d["gold"], leaf.path)) for d in DOCUMENTS for leaf in score.leaves(d["template"])]
    assert 0.13 <= sum(leaves) / len(leaves) <= 0.27


def test_gold_has_the_template_shape():
    def keys(tree):
        return {k: keys(v) if isinstance(v, dict) and "$type" not in v else None for k, v in tree.items()}
    assert all(keys(d["template"]) == keys(d["gold"]) for d in DOCUMENTS)
