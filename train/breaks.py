"""What WordPiece drops of a page: where a line ends, where an empty line stands, where a wide gap keeps two columns apart. Each is
a piece of its own to the model, so that it sees a label above its value, the next column, the end of an address. Twin of
src/engine/breaks.c; used by encode.py and reference.py.

    with_breaks(text, ids, offsets) -> ids, offsets     a document's pieces with the breaks between them

A break's offsets are those of the white space it stands for. No value begins or ends with one, nor runs on over a PARAGRAPH.
"""
import re

WIDE, LINE, PARAGRAPH = BREAKS = (10, 11, 12)  # ids of unused vocabulary entries
EMPTY_LINE = re.compile(r"\n[^\S\n]*\n")


def with_breaks(text, ids, offsets):
    out, at = [], None
    for piece, (start, end) in zip(ids, offsets):
        found = break_of(text[at:start]) if at is not None else None
        if found:
            out.append((found, (at, start)))
        out.append((piece, (start, end)))
        at = end if at is None else max(at, end)  # a character may be the source of two pieces
    return [piece for piece, _ in out], [where for _, where in out]


def break_of(between):
    """The break that the text between two pieces makes, None for a blank."""
    if "\n" in between:
        return PARAGRAPH if EMPTY_LINE.search(between) else LINE
    return WIDE if len(between) > 1 or "\t" in between else None
