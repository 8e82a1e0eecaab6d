"""Wears a text the way scanning, mailing and pasting do, moving every span along.

    text = wear(rng, text, lang, fields)                 each kind of wear with its own small probability
    text = join(rng, document, fields, other)            two documents in one text; the fields refer to the first

Fields are changed in place: their [start, end] lists move with the text. An edit (start, end, replacement) lies either
outside a span or wholly inside it, so a span always covers its value as it now stands.
"""
import re
from bisect import bisect_left, bisect_right
from functools import lru_cache

from .keys import GENERIC, words
from .values import table

JOINED = 0.15
WRAPPED = 0.2   # how often a text gets hard line ends; train.py gives them to the public sets' prose too, which has none
LONG = 0.03


def spans_of(fields):
    """The live span lists of all fields."""
    for field in fields:
        yield from field.get("spans", ())
        for record in field.get("records", ()):
            yield from record.values()


def answered(field):
    """Whether the text says something for it."""
    return bool(field.get("spans") or field.get("records"))


def edit(text, fields, edits):
    """Apply sorted, disjoint edits; those that would cut a span's border are dropped. -> new text"""
    spans = list(spans_of(fields))
    borders = sorted({border for span in spans for border in span})
    kept = []
    for start, end, new in edits:
        low = bisect_right(borders, start)
        if low < len(borders) and borders[low] < end:
            continue
        kept.append((start, end, new))
    out, at, starts, ends, shift, shifts = [], 0, [], [], 0, [0]
    for start, end, new in kept:
        out += (text[at:start], new)
        at = end
        shift += len(new) - (end - start)
        starts.append(start)
        ends.append(end)
        shifts.append(shift)
    out.append(text[at:])
    for span in spans:
        span[0] += shifts[bisect_right(ends, span[0])]     # edits that end at or before the start
        span[1] += shifts[bisect_left(starts, span[1])]    # edits that begin before the end
    return "".join(out)


def inside(fields):
    """A predicate: does this position lie inside a span?"""
    spans = sorted((span[0], span[1]) for span in spans_of(fields))
    starts = [span[0] for span in spans]
    ends = []
    for _, end in spans:
        ends.append(max(end, ends[-1]) if ends else end)

    def test(at):
        i = bisect_right(starts, at) - 1
        return i >= 0 and at < ends[i]
    return test


def substitute(pattern, replace, everywhere=True):
    """A wear that replaces matches of `pattern`; `replace` is a str or rng -> str."""
    pattern = re.compile(pattern, re.M)

    def wear_text(rng, text, fields):
        held = (lambda at: False) if everywhere else inside(fields)
        return edit(text, fields, [(m.start(), m.end(), replace if isinstance(replace, str) else replace(rng))
                                   for m in pattern.finditer(text) if not held(m.start())])
    return wear_text


# ---- kinds of wear: (rng, text, fields) -> text -------------------------------------------------

CONFUSED = {"0": "O", "O": "0", "1": "l", "l": "1", "I": "l", "5": "S", "S": "5", "8": "B", "B": "8", "m": "rn", "e": "c", "c": "e", "g": "q",
            "a": "o", "i": "j", "t": "f", ",": ".", ".": ",", ":": ";", "Z": "2", "h": "b", "u": "v", "n": "ri", "ü": "u", "é": "e", "€": "E"}


def scan(rng, text, fields):
    """OCR errors: confused characters, lost and doubled blanks, stray marks; values mostly untouched."""
    rate, held, edits = rng.choice([0.004, 0.01, 0.02, 0.04]), inside(fields), []
    for at, char in enumerate(text):
        if rng.random() >= rate or (held(at) and rng.random() < 0.85):
            continue
        if char == " ":
            edits.append((at, at + 1, rng.choice(["", "  ", "\n", " . ", "   "]) if not held(at) else rng.choice(["  ", "\n", ""])))
        elif char in CONFUSED and not (held(at) and char.isdigit()):
            edits.append((at, at + 1, CONFUSED[char]))
        elif rng.random() < 0.2 and not held(at):
            edits.append((at, at, rng.choice(["'", "`", "~", "|", ".", ",", "_", "-", "*"])))
    return edit(text, fields, edits)


def upper(rng, text, fields):
    return "".join(char.upper() if len(char.upper()) == 1 else char for char in text)


def lower(rng, text, fields):
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


def wrap(rng, text, fields):
    """Hard line ends at a width, also within values: plain-text mail, or the narrow paper of tills and the columns of letters,
    where what follows may stand under the value instead of the label."""
    narrow = rng.random() < 0.6
    width, hang = rng.randint(20, 40) if narrow else rng.randint(38, 90), narrow and rng.random() < 0.4
    edits, start, blank, column = [], 0, -1, 0
    for at, char in enumerate(text):
        if char == "\n":
            start, blank, column = at + 1, -1, 0
        elif char == " ":
            blank = at
            if hang and not column and re.search(r":\s*$|\s{3,}$", text[start:at + 1]) and text[at + 1:at + 2].strip():
                column = at + 1 - start
        if at - start >= width and blank > start:
            edits.append((blank, blank + 1, "\n" + " " * column))
            start, blank = blank + 1 - column, -1
    return edit(text, fields, edits)


def centre(rng, text, fields):
    """Every line in the middle of the paper, as tills and title pages print."""
    width = rng.randint(32, 72)
    return edit(text, fields, [(m.start(), m.start(), " " * ((width - len(m.group())) // 2))
                               for m in re.finditer(r"^\S[^\n]*", text, re.M) if len(m.group()) < width - 1])


def margin(rng, text, fields):
    """The same mark before each line: a quote, an indent, a comment."""
    if any("\n" in text[a:b] for a, b in spans_of(fields)):
        return text
    mark = rng.choice(["> ", "> ", ">> ", "    ", "  ", "\t", "        ", "| ", "# ", "// ", "* ", "· "])
    return edit(text, fields, [(m.start(), m.start(), mark) for m in re.finditer(r"^", text, re.M)])


def bold_labels(rng, text, fields):
    """**Label:** value, <b>Label:</b> value"""
    before, after = rng.choice([("**", "**"), ("**", "**"), ("<b>", "</b>"), ("*", "*"), ("<strong>", "</strong>"), ("__", "__")])
    held, edits = inside(fields), []
    for m in re.finditer(r"^[ \t]*([^\W\d_][^\n:|<>*]{1,30}:)(?=[ \t]|$)", text, re.M):
        if not any(held(at) for at in range(m.start(1), m.end(1))):
            edits += [(m.start(1), m.start(1), before), (m.end(1), m.end(1), after)]
    return edit(text, fields, edits)


def html(rng, text, fields):
    """Each line in a tag, entities left alone."""
    before, after = rng.choice([("<p>", "</p>"), ("", "<br>"), ("", "<br/>"), ("<li>", "</li>"), ("<div>", "</div>"), ("<tr><td>", "</td></tr>"), ("<span>", "</span>")])
    edits = []
    for m in re.finditer(r"^[^\n]*\S[^\n]*$", text, re.M):
        if before:
            edits.append((m.start(), m.start(), before))
        edits.append((m.end(), m.end(), after))
    if before == "<tr><td>":
        edits += [(m.start(), m.end(), "</td><td>") for m in re.finditer(r" {3,}|\t", text)]
    edits.sort(key=lambda e: (e[0], e[1]))
    return edit(text, fields, _disjoint(edits))


def heading(rng, text, fields):
    """The first line as a markdown or underlined heading."""
    end = text.find("\n")
    if not 0 < end < 60:
        return text
    mark = rng.choice(["# ", "## ", "=== ", "*** ", None, None])
    if mark:
        return edit(text, fields, [(0, 0, mark)])
    return edit(text, fields, [(end, end, "\n" + rng.choice("=-*_~") * rng.choice([end, end, 40]))])


def paragraphs(rng, text, fields, lang, share=None):
    """Neutral paragraphs before, after and, in long texts, between the parts of the document."""
    lines = table("boilerplate", lang)
    if share is None:
        before = rng.choices([0, 1, 2], [55, 35, 10])[0]
        edits = [(0, 0, "".join(rng.choice(lines) + "\n\n" for _ in range(before)))] if before else []
        after = rng.choices([0, 1, 2, 3], [15, 50, 25, 10])[0]
        edits.append((len(text), len(text), "".join("\n\n" + (rng.choice(lines) if rng.random() < 0.8 else filler(rng, lang)) for _ in range(after))))
        return edit(text, fields, edits)
    gaps = [0, len(text)] + [m.start() for m in re.finditer(r"\n\n", text)]
    fill = {}
    count = 0
    while count < share:
        part = " ".join(filler(rng, lang) for _ in range(rng.randint(1, 7)))
        count += len(part.split())
        fill.setdefault(rng.choice(gaps), []).append(part)
    edits = [(at, at, "\n\n".join(parts) + "\n\n" if at == 0 else "\n\n" + "\n\n".join(parts)) for at, parts in sorted(fill.items())]
    return edit(text, fields, edits)


def filler(rng, lang):
    """A sentence that says nothing: a boilerplate line, or one put together from parts."""
    if rng.random() < 0.35:
        return rng.choice(table("boilerplate", lang))
    subject, verb, tail = (rng.choice(part) for part in _parts(lang))
    return f"{subject} {verb}{', ' if tail.startswith(('and ', 'which ', 'while ', 'und ', 'et ', 'y ', 'e ', 'weil ', 'obwohl ', 'soweit ')) else ' ' if tail else ''}{tail}."


@lru_cache(maxsize=None)
def _parts(lang):
    """(subjects, verbs, tails) of tables/filler; no tail is as likely as a handful of them."""
    parts = {"s": [], "v": [], "t": [""] * 6}
    for line in table("filler", lang):
        parts[line[0]].append(line[2:].strip())
    return parts["s"], parts["v"], parts["t"]


def _disjoint(edits):
    kept, at = [], -1
    for start, end, new in edits:
        if start >= at:
            kept.append((start, end, new))
            at = end
    return kept


# (probability, wear), in the order they happen to a paper
WEARS = [
    (0.03, substitute(r"\n(?=[^\n])", lambda rng: rng.choice(["\n", "\n", "\n\n"]))),
    (0.025, bold_labels), (0.015, heading),
    (0.02, substitute(r" {2,}", "\t", everywhere=False)), (0.05, substitute(r" {2,}", " ")), (0.015, substitute(r" {2,}", " | ", everywhere=False)),
    (0.02, substitute(r"\n\n+", "\n")), (0.03, substitute(r"[ \t]*\n+[ \t]*", " ")), (0.01, substitute(r"[ \t]*\n+[ \t]*", " | ", everywhere=False)),
    (0.01, substitute(r": ", lambda rng: rng.choice([": ", ":", " : ", ":  "]), everywhere=False)),
    (0.008, substitute(r":[ ]", "\n", everywhere=False)), (0.02, substitute(r": ", lambda rng: ": " + " " * rng.randint(1, 14), everywhere=False)),
    (0.02, substitute(r":(?=[ \t])", "", everywhere=False)),
    (WRAPPED, wrap), (0.015, centre), (0.015, html), (0.04, scan), (0.04, upper), (0.02, lower), (0.02, margin),
    (0.01, substitute(r"'", "’")), (0.006, substitute(r" ", lambda rng: "\u00a0" if rng.random() < 0.2 else " ")),
    (0.008, substitute(r"(?<!\n)\n", "\r\n")), (0.01, substitute(r"$(?=\n)", lambda rng: rng.choice(["  ", "", "\t"]))),
]


def wear(rng, text, lang, fields):
    """The text after whatever wear it drew; spans of `fields` move along."""
    roll = rng.random()
    if roll < LONG:
        text = paragraphs(rng, text, fields, lang, rng.choice([300, 600, 1200, 2000, 2900]))
    elif roll < LONG + 0.07:
        text = paragraphs(rng, text, fields, lang, rng.choice([50, 100, 200]))
    elif roll < 0.24:
        text = paragraphs(rng, text, fields, lang)
    for chance, change in WEARS:
        if rng.random() < chance:
            text = change(rng, text, fields)
    return text


def join(rng, document, fields, other):
    """document.text with `other` before or behind it; fields that the other could answer are dropped. -> text"""
    if other.kind == document.kind or other.text == document.text:
        return document.text
    foreign = other.known_words() - GENERIC
    written = {word for answer in other.answers.values() if answer.present for key in answer.slot.keys for word in words(key)}
    kept = [field for field in fields if _own(field, foreign, written)]
    if not kept:
        return document.text
    fields[:] = kept
    gap = rng.choice(["\n\n", "\n\n\n", "\n---\n", "\n\n" + "-" * 40 + "\n\n", "\n\n=====\n\n", "\n\n* * *\n\n"])
    if rng.random() < 0.5:
        return document.text + gap + other.text
    for span in spans_of(fields):
        span[0] += len(other.text) + len(gap)
        span[1] += len(other.text) + len(gap)
    return other.text + gap + document.text


def _own(field, foreign, written):
    """Whether the field can mean the first document only; an absent one not even by a word that stands there."""
    return unspoken(field, foreign) and (answered(field) or not own_words(field) & written)


def own_words(field):
    return {word for part in field["path"][-2:] for word in words(part)}


def unspoken(field, foreign):
    """Whether the field's key has a word of its own and none that another text, of the words `foreign`, speaks of."""
    specific = own_words(field) - GENERIC
    return bool(specific) and not specific & foreign
