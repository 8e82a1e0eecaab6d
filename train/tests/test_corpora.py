"""What corpora.py promises of documents put between passages: the same values, and no absent field a passage could answer."""
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import corpora                                       # noqa: E402

PASSAGES = ("The warranty of the dishwasher ended in 2019. Its owner lives in Oslo.", "Rain fell on the harbour all day. " * 40)
TEXT = "Order 77-31\nBuyer: Ines Roth\nTotal: 12.50"


class Passages:
    """Stands for a Corpus."""

    def passage(self, rng):
        return rng.choice(PASSAGES)


def field(path, *values, kind="scalar"):
    return {"path": path, "kind": kind, "type": None, "spans": [[TEXT.index(v), TEXT.index(v) + len(v)] for v in values]}


def surrounded(seed, *fields):
    example = {"text": TEXT, "lang": "en", "kind": "order", "fields": list(fields)}
    return corpora.surround(example, [Passages()], random.Random(seed))


def test_values_are_found_where_they_moved_to():
    places = set()
    for seed in range(60):
        out = surrounded(seed, field(["order_number"], "77-31"), field(["buyer", "name"], "Ines Roth"), field(["total"], "12.50"))
        assert [out["text"][a:b] for f in out["fields"] for a, b in f["spans"]] == ["77-31", "Ines Roth", "12.50"]
        assert len(out["text"]) > len(TEXT) + 50
        places.add((out["text"].startswith(TEXT), out["text"].endswith(TEXT)))
    assert places == {(True, False), (False, True), (False, False)}


def test_records_move_along():
    at = TEXT.index("12.50")
    for seed in range(20):
        out = surrounded(seed, {"path": ["items"], "kind": "records", "fields": [{"key": "price", "type": None}],
                                "records": [{"price": [at, at + 5]}]})
        start, end = out["fields"][0]["records"][0]["price"]
        assert out["text"][start:end] == "12.50"


def test_absent_fields_a_passage_may_answer_are_left_out():
    for seed in range(60):
        out = surrounded(seed, field(["order_number"], "77-31"), field(["warranty"]), field(["iban"]), field(["date"]))
        asked = [f["path"] for f in out["fields"]]
        assert ["date"] not in asked             # too general a word to be surely absent from running text
        assert ["iban"] in asked
        assert ("warranty" in out["text"]) == (["warranty"] not in asked)


def test_lists_are_left_out_and_a_document_of_lists_stays_alone():
    out = surrounded(1, field(["order_number"], "77-31"), field(["people"], "Ines Roth", kind="list"))
    assert [f["path"] for f in out["fields"]] == [["order_number"]]
    assert surrounded(1, field(["people"], "Ines Roth", kind="list"))["text"] == TEXT
