"""Where the pieces of a document stand on its page: WordPiece drops white space, so the model would not know a line's end from a
blank, or one column from the next. Twin of src/engine/layout.c; used by encode.py and reference.py.

    places(text, offsets) -> [(gap, column), ...]   rows of the layout table (ROWS x hidden), one pair for each piece

The sum of the two rows is added to the piece's embedding. `gap` tells what stands before the piece, `column` how far into its
line it begins. The first piece counts as the beginning of a paragraph.
"""
JOINED, BLANK, WIDE, LINE, PARAGRAPH = range(5)
GAPS, COLUMNS = 5, 32
COLUMN_WIDTH, TAB = 4, 8  # characters
ROWS = GAPS + COLUMNS


def places(text, offsets):
    out, at, column = [], 0, 0
    for start, end in offsets:
        between = text[at:start]
        for char in between:
            column = 0 if char == "\n" else (column // TAB + 1) * TAB if char == "\t" else column + 1
        out.append((gap_of(between) if out else PARAGRAPH, GAPS + min(column // COLUMN_WIDTH, COLUMNS - 1)))
        column += max(0, end - max(start, at))  # a character may be the source of two pieces
        at = max(at, end)
    return out


def gap_of(between):
    lines = between.count("\n")
    if lines:
        return LINE if lines == 1 else PARAGRAPH
    return WIDE if len(between) > 1 or "\t" in between else BLANK if between else JOINED
