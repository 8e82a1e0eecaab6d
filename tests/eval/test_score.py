"""The scorer: what counts as the same value, and how values become counts."""
import pytest

import normalise
import score
from score import Counts


@pytest.mark.parametrize("gold, answer, kind, same", [
    ("Acme  Ltd.", "ACME LTD", None, True),
    ("ﬁnance", "finance", None, True),
    ("“quoted”", '"quoted"', None, True),
    ("12%", "12", None, False),
    ("-4", "4", None, False),
    ("€1,249.00", "1,249.00", None, False),
    ("#2847", "2847", None, True),
    ("12%", 12.0, None, True),
    ("12%", 13.0, None, False),
    (1249.0, "€1,249.00", "number", True),
    (1249.0, "1.249,00 EUR", "number", True),
    (1249.5, "1 249,50", "number", True),
    (1249, "CHF 1'249.–", "integer", True),
    (-12.5, "(12.50)", "number", True),
    (12.5, "-12.50", "number", False),
    (1234.0, "1.234", "number", True),
    (3.0, "3 of 12", "number", False),
    ("2026-01-15", "15 January 2026", "date", True),
    ("2026-01-15", "Jan 15th, 2026", "date", True),
    ("2026-03-04", "4. März 2026", "date", True),
    ("2026-03-04", "04/03/2026", "date", True),
    ("2026-03-04", "03/04/26", "date", True),
    ("2026-03-04", "05/03/2026", "date", False),
    ("2026-03-04", "March 2026", "date", False),
    ("2026-08-02", "le 2 août 2026 à 14:30", "date", True),
    (True, "yes", "boolean", True),
    (False, True, "boolean", False),
    (True, "perhaps", "boolean", False),
])
def test_same(gold, answer, kind, same):
    assert normalise.same(gold, answer, kind) is same


def one(template, gold, answer, alts=None):
    counts, faults = score.score_document(template, gold, answer, alts)
    return sum(counts.values(), Counts()), faults


@pytest.mark.parametrize("gold, answer, expected", [
    ("a", "a", Counts(right=1)), ("a", None, Counts(missed=1)), (None, "a", Counts(spurious=1)),
    ("a", "b", Counts(wrong=1)), (None, None, Counts(null=1)),
])
def test_scalar_falls_into_one_count(gold, answer, expected):
    assert one({"k": None}, {"k": gold}, {"k": answer})[0] == expected


def test_answer_without_the_key_is_null():
    assert one({"a": {"b": None}}, {"a": {"b": "x"}}, {})[0] == Counts(missed=1)


def test_alternatives_are_accepted_by_dotted_or_last_name():
    for alts in ({"a.b": ["y"]}, {"b": ["y"]}, {"a": {"b": ["y"]}}):
        assert one({"a": {"b": None}}, {"a": {"b": "x"}}, {"a": {"b": "y"}}, alts)[0] == Counts(right=1)


def test_list_is_a_multiset():
    counts, _ = one({"k": []}, {"k": ["a", "b", "b"]}, {"k": ["b", "a", "a"]})
    assert counts == Counts(right=2, missed=1, spurious=1)


def test_list_alternatives_belong_to_their_own_value():
    template, gold, alts = {"k": []}, {"k": ["a", "b"]}, {"k": [["x"], ["y"]]}
    assert one(template, gold, {"k": ["y", "x"]}, alts)[0] == Counts(right=2)
    assert one(template, gold, {"k": ["x", "x"]}, alts)[0] == Counts(right=1, missed=1, spurious=1)


def test_list_value_cut_short_is_wrong_not_missed_and_spurious():
    counts, faults = one({"k": []}, {"k": ["Acme Holdings Ltd"]}, {"k": ["Acme Holdings"]})
    assert counts == Counts(wrong=1)
    assert faults[0].detail == score.BOUNDS


def test_empty_lists_and_records_count_as_one_null():
    assert one({"k": [], "r": [{"x": None}]}, {"k": [], "r": []}, {"k": [], "r": []})[0] == Counts(null=2)


def test_records_are_assigned_so_that_most_members_agree():
    template = {"r": [{"name": None, "price": "number"}]}
    gold = {"r": [{"name": "tea", "price": 2.0}, {"name": "cake", "price": 3.5}]}
    answer = {"r": [{"name": "cake", "price": "3.50"}, {"name": "tea", "price": None}]}
    assert one(template, gold, answer)[0] == Counts(right=3, missed=1)


def test_a_record_too_many_is_spurious_in_each_member():
    template = {"r": [{"name": None, "price": None}]}
    gold = {"r": [{"name": "tea", "price": "2"}]}
    answer = {"r": [{"name": "tea", "price": "2"}, {"name": "sum", "price": "2"}]}
    assert one(template, gold, answer)[0] == Counts(right=2, spurious=2)


def test_typed_and_enum_leaves():
    template = {"n": "number", "d": {"$type": "date", "$description": "due"}, "e": ["low", "high"], "l": ["date"]}
    gold = {"n": 5.0, "d": "2026-01-02", "e": "low", "l": ["2026-01-02"]}
    answer = {"n": "5", "d": "2 Jan 2026", "e": "Low", "l": ["02.01.2026"]}
    assert one(template, gold, answer)[0] == Counts(right=4)


def test_fault_says_whose_value_was_taken():
    _, faults = one({"sold_to": None, "ship_to": None}, {"sold_to": "Ann", "ship_to": "Bob"}, {"sold_to": "Bob", "ship_to": "Bob"})
    assert [(f.path, f.kind, f.detail) for f in faults] == [("sold_to", "wrong", score.SWAPPED)]


def test_f1_counts_a_wrong_value_twice_and_a_null_never():
    s = score.summary([Counts(right=2, wrong=1, missed=1, null=7)])
    assert (s["precision"], s["recall"]) == (pytest.approx(2 / 3), pytest.approx(0.5))
    assert s["f1"] == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))


def test_interval_holds_the_estimate_and_shrinks_with_more_documents():
    few = [Counts(right=1), Counts(wrong=1), Counts(right=3), Counts(missed=2)]
    wide, narrow = score.summary(few), score.summary(few * 50)
    assert wide["low"] < wide["f1"] < wide["high"]
    assert narrow["high"] - narrow["low"] < wide["high"] - wide["low"]


def test_whole_documents():
    assert score.summary([Counts(right=3, null=1), Counts(right=2, spurious=1)])["whole"] == 0.5
