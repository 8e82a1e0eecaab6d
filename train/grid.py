"""Tables in plain text: where the lines of a document stand in columns. Read by reference.py; src/engine/grid.c is its twin.

Delimited: neighbouring lines with equally many `|`, tabs, semicolons or commas. Aligned: neighbouring lines whose words, kept
apart by a tab or two blanks and more, stand over each other. Lines of rules (----+----) belong to no row.
"""
DELIMITERS = {"|": (1, 2), "\t": (1, 2), ";": (2, 3), ",": (2, 3)}   # least number in a line, least lines
COLUMNS = 64                                                         # of a table; what has more is none
RULE = set("-=_+|:.~* \t")


def tables(text):
    """[[{column: (start, end)} per row] per table], in code points, without empty cells; tables and rows in document order."""
    lines, at = [], 0
    for line in text.split("\n"):
        if not line.strip() or set(line) - RULE:
            lines.append((at, line))
        at += len(line) + 1
    found, taken = [], set()
    for delimiter, (least, rows) in DELIMITERS.items():
        for first, stop in runs(len(lines), lambda n: 0 if n in taken else lines[n][1].count(delimiter), least):
            if stop - first >= rows:
                found.append([delimited(*lines[n], delimiter) for n in range(first, stop)])
                taken.update(range(first, stop))
    parts = [[] if n in taken else segments(line) for n, (_, line) in enumerate(lines)]
    n = 0
    while n < len(lines):
        rows = aligned(parts[n:]) if 2 <= len(parts[n]) <= COLUMNS else []
        if len(rows) >= 2:
            found.append([{c: (lines[n + r][0] + a, lines[n + r][0] + b) for c, (a, b) in row.items()}
                          for r, row in enumerate(rows)])
        n += max(len(rows), 1)
    found = [[row for row in table if row] for table in found]
    return sorted((t for t in found if len(t) >= 2), key=lambda t: min(t[0].values()))


def runs(count, number_of, least):
    """[first, stop) of neighbouring lines of one number, at least `least` and below COLUMNS."""
    first = 0
    while first < count:
        number, stop = number_of(first), first + 1
        while stop < count and number_of(stop) == number:
            stop += 1
        if least <= number < COLUMNS:
            yield first, stop
        first = stop


def trimmed(line, a, b, also=""):
    while a < b and (line[a].isspace() or line[a] in also):
        a += 1
    while b > a and (line[b - 1].isspace() or line[b - 1] in also):
        b -= 1
    return a, b


def delimited(at, line, delimiter):
    """One row: {column: (start, end)}; quotes around a cell are no part of it."""
    row, begin = {}, 0
    for column in range(line.count(delimiter) + 1):
        stop = line.find(delimiter, begin)
        stop = len(line) if stop < 0 else stop
        a, b = trimmed(line, begin, stop, '"')
        if set(line[a:b]) - RULE:
            row[column] = (at + a, at + b)
        begin = stop + 1
    return row


def segments(line):
    """[(start, end)] of what a tab or two blanks and more keep apart."""
    out, begin, n = [], 0, 0
    while n <= len(line):
        stop = n
        while stop < len(line) and line[stop].isspace():
            stop += 1
        if n == len(line) or stop - n > 1 or (stop > n and line[n] == "\t"):
            a, b = trimmed(line, begin, n)
            if b > a:
                out.append((a, b))
            begin = stop
        n = max(stop, n + 1)
    return out


def aligned(parts):
    """Rows of the table that begins with parts[0], [{column: (start, end)}]: as many lines as keep to its columns, two cells each."""
    columns, rows = list(parts[0]), [dict(enumerate(parts[0]))]
    for line in parts[1:]:
        wider, row = list(columns), {}
        if len(line) > COLUMNS:
            return rows
        for a, b in line:
            over = [c for c, (x, y) in enumerate(columns) if a < y and x < b]
            c = over[0] if over else min(range(len(wider)), key=lambda c: max(wider[c][0] - b, a - wider[c][1]))
            if len(over) > 1:
                return rows
            row[c] = (row[c][0], b) if c in row else (a, b)
            wider[c] = min(wider[c][0], a), max(wider[c][1], b)
        if len(row) < 2 or any(wider[c][1] >= wider[c + 1][0] for c in range(len(wider) - 1)):
            return rows
        columns = wider
        rows.append(row)
    return rows
