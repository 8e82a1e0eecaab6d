"""What WordPiece drops of a document: where its pieces stand on the page, and their capitals. Without it the model would not know a
line's end from a blank, one column from the next, or a name from a word. Twin of src/engine/layout.c; used by encode.py and
reference.py.

    places(text, offsets) -> [(gap, column, case), ...]   rows of the layout table (ROWS x hidden), three for each piece

The sum of the rows is added to the piece's embedding. `gap` tells what stands before the piece, `column` how far into its line it
begins, `case` which of its characters are capitals. A paragraph begins behind an empty line, and with the first piece.
"""
import re

JOINED, BLANK, WIDE, LINE, PARAGRAPH = range(5)
LOWER, CAPITAL, UPPER, MIXED = range(4)
GAPS, COLUMNS, CASES = 5, 32, 4
COLUMN_WIDTH, TAB = 4, 8  # characters
ROWS = GAPS + COLUMNS + CASES
PLACE_ROWS = 3
EMPTY_LINE = re.compile(r"\n[^\S\n]*\n")
# Latin, Greek and Cyrillic: (first, last, step)
CAPITALS = frozenset(chr(code) for first, last, step in (
    (0x41, 0x5A, 1), (0xC0, 0xD6, 1), (0xD8, 0xDE, 1), (0x100, 0x136, 2), (0x139, 0x147, 2), (0x14A, 0x176, 2), (0x178, 0x179, 1),
    (0x17B, 0x17D, 2), (0x391, 0x3A9, 1), (0x400, 0x42F, 1)) for code in range(first, last + 1, step))


def places(text, offsets):
    out, at, column = [], 0, 0
    for start, end in offsets:
        between = text[at:start]
        for char in between:
            column = 0 if char == "\n" else (column // TAB + 1) * TAB if char == "\t" else column + 1
        out.append((gap_of(between) if out else PARAGRAPH, GAPS + min(column // COLUMN_WIDTH, COLUMNS - 1),
                    GAPS + COLUMNS + case_of(text[start:end])))
        column += max(0, end - max(start, at))  # a character may be the source of two pieces
        at = max(at, end)
    return out


def gap_of(between):
    if "\n" in between:
        return PARAGRAPH if EMPTY_LINE.search(between) else LINE
    return WIDE if len(between) > 1 or "\t" in between else BLANK if between else JOINED


def case_of(word):
    """Digits count neither way: "USB3" is UPPER."""
    capitals = sum(char in CAPITALS for char in word)
    if not capitals:
        return LOWER
    if capitals == len(word) - sum("0" <= char <= "9" for char in word):
        return UPPER
    return CAPITAL if capitals == 1 and word[0] in CAPITALS else MIXED
