"""When two answers are the same: the scorer's normalisation. Pure functions, used by score.py and run.py only.

text     NFKC (Unicode normalization form, UAX #15), then dashes and quotes to their plain forms, runs of white space to one
         space, case folded, punctuation at both ends off (all of category P, except % and ‰ and a minus before a digit).
number   by value: digit grouping and decimal marks of any custom, currency and percent signs ignored.
date     by value: the calendar day, written as numbers or with month names in English, German, French, Spanish, Italian.
Where a writing has two readings (1.234 or 03/04/2025) both are kept, and two answers are the same when they share a reading.
"""
import re
import unicodedata

PLAIN = str.maketrans({"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "‐": "-", "‑": "-", "–": "-", "—": "-",
                       "−": "-", "\u200b": "", "\ufeff": "", "\u00ad": ""})
YES, NO = {"yes", "true", "y", "ja", "oui", "sí", "si", "sì", "1"}, {"no", "false", "n", "nein", "non", "0"}
MONTHS = """jan january januar jänner janvier enero ene gennaio gen|feb february februar février févr fevrier febrero febbraio
|mar march märz mär mrz maerz mars marzo|apr april avril avr abril abr aprile|may mai mayo maggio mag
|jun june juni juin junio giugno giu|jul july juli juillet juil julio luglio lug|aug august août aout agosto ago
|sep sept september septembre septiembre settembre set|oct october oktober okt octobre octubre ottobre ott
|nov november novembre noviembre|dec december dezember dez décembre déc decembre diciembre dic dicembre"""
MONTH = {name: n for n, names in enumerate(MONTHS.split("|"), 1) for name in names.split()}


def text(value):
    """The form in which two texts are compared."""
    if value is True or value is False:
        value = "yes" if value else "no"
    s = unicodedata.normalize("NFKC", str(value)).translate(PLAIN).casefold()
    s = " ".join(s.split())
    while s and _outer(s[-1]):
        s = s[:-1].rstrip()
    while s and _outer(s[0]) and not re.match(r"-\.?\d", s):
        s = s[1:].lstrip()
    return s


def _outer(c):
    return unicodedata.category(c).startswith("P") and c not in "%‰"


def numbers(value):
    """The values a writing may stand for, a set of floats; empty when it is no number."""
    if isinstance(value, bool):
        return set()
    if isinstance(value, (int, float)):
        return {float(value)}
    s = unicodedata.normalize("NFKC", str(value)).translate(PLAIN).strip()
    found = re.search(r"\d(?:[\d.,' ]*\d)?", s)
    if not found or re.search(r"\d", s[found.end():]):
        return set()
    minus = "-" in s[:found.start()] or s[found.end():].strip().startswith("-") or re.fullmatch(r"\(.*\)", s)
    digits = re.sub(r"[' ]", "", found.group())
    return {-v if minus else v for v in _readings(digits)}


def _readings(digits):
    """'1.234' -> {1.234, 1234.0}; '1.234,5' -> {1234.5}."""
    marks = [c for c in digits if c in ".,"]
    if not marks:
        return {float(digits)}
    plain = lambda s: s.replace(",", "").replace(".", "")
    whole, _, rest = digits.rpartition(marks[-1])
    as_decimal = float(f"{plain(whole)}.{rest}")
    if len(set(marks)) == 2:
        return {as_decimal}
    if len(marks) > 1:
        return {float(plain(digits))}
    return {as_decimal, float(plain(digits))} if len(rest) == 3 else {as_decimal}


def dates(value):
    """The days a writing may stand for, a set of (year, month, day); empty when it is no whole date."""
    s = unicodedata.normalize("NFKC", str(value)).casefold()
    iso = re.search(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)", s)
    if iso:
        return _days([tuple(map(int, iso.groups()))])
    named = [MONTH[w] for w in re.findall(r"[^\W\d_]+", s) if w in MONTH]
    figures = re.findall(r"(?<![\d:])\d{1,4}(?![\d:])", re.sub(r"\d{1,2}:\d{2}(:\d{2})?", " ", s))
    if named:
        years = [_year(f) for f in figures if len(f) == 4] or [_year(f) for f in figures[1:]]
        days = [int(f) for f in figures if len(f) <= 2]
        return _days([(years[0], named[0], days[0])]) if years and days else set()
    three = re.search(r"(?<!\d)(\d{1,2})([-/. ]+)(\d{1,2})\2(\d{4}|\d{2})(?!\d)", s)
    if not three:
        return set()
    a, b, year = int(three[1]), int(three[3]), _year(three[4])
    return _days([(year, a, b), (year, b, a)])


def _year(figure):
    return int(figure) if len(figure) == 4 else 2000 + int(figure) if int(figure) < 70 else 1900 + int(figure)


def _days(triples):
    return {(y, m, d) for y, m, d in triples if 1 <= m <= 12 and 1 <= d <= 31}


def truth(value):
    """True, False, or None where the value says neither."""
    folded = text(value)
    return True if folded in YES else False if folded in NO else None


def same(gold, answer, kind=None):
    """Whether `answer` is `gold`. kind: the leaf's type ("number", "integer", "date", "boolean") or None for text."""
    if kind in ("number", "integer"):
        return bool(numbers(gold) & numbers(answer))
    if kind == "date":
        return bool(dates(gold) & dates(answer))
    if kind == "boolean":
        return truth(gold) is not None and truth(gold) == truth(answer)
    if isinstance(answer, (int, float)) and not isinstance(answer, bool):
        return bool(numbers(gold) & numbers(answer))  # a key that says it is a number gets one, whatever the text said
    return text(gold) == text(answer)
