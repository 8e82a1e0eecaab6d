"""Records from tables: which column answers which member, which rows are records. Read by reference.py; src/engine/columns.c is
its twin.

A member's evidence for a cell is what its scores say of it: (best start * best end * best inside)^(1/3) over the cell's pieces.
One cell says little, a column of them much: members and columns are paired by the mean over the rows, the surest pair first,
and by the words that a member's name shares with the column's first cell. Then a row is a record when its cells bear that out.
"""
HEADING = 0.5        # what a heading of just the member's words adds to its column
HEADING_LIKENESS = 0.3  # from which the first row is a heading, not a record
HEADING_PIECES = 32  # a longer first cell names nothing
LEAST_COLUMN = 0.1   # mean evidence, heading included, of a column that is paired
LEAST_ROW = 0.1      # mean evidence of a row that is a record
SURE_SPAN = 0.8      # score from which a span within a cell may be the value, not the cell
PARTLY = 0.5         # share of the column's cells from which it holds more than values
ROUNDS = 3


def likeness(a, b):
    """Jaccard index of two sets."""
    return len(a & b) / len(a | b) if a and b else 0.0


def pair(table, evidence, names, ids):
    """table: [{column: (first, last) piece}]; evidence: per member {(row, column): e}; names: per member its name's piece ids;
    ids: of the document's pieces. -> ({member: (column, its mean)}, [rows that are records]), ({}, []) where the table does not
    answer."""
    columns = sorted({c for row in table for c in row})
    alike = [{c: likeness(name, set(ids[a:b + 1])) if b - a < HEADING_PIECES else 0.0 for c, (a, b) in table[0].items()}
             for name in names]
    headed = max((v for a in alike for v in a.values()), default=0) >= HEADING_LIKENESS
    live, pairs = list(range(headed, len(table))), {}
    for _ in range(ROUNDS):
        means = []
        for m, seen in enumerate(evidence):
            for c in columns:
                cells = [seen.get((r, c), 0.0) for r in live if c in table[r]]
                if cells:
                    means.append((sum(cells) / len(cells) + HEADING * headed * alike[m].get(c, 0.0), m, c))
        pairs = {}
        for mean, m, c in sorted(means, key=lambda x: (-x[0], x[1], x[2])):
            if mean > LEAST_COLUMN and m not in pairs and all(c != taken for taken, _ in pairs.values()):
                pairs[m] = c, mean
        before, live = live, [r for r in range(headed, len(table)) if is_record(table[r], r, evidence, pairs)]
        if live == before:
            break
    if len(live) < 2 or len(pairs) < min(2, len(names)):
        return {}, []
    return pairs, live


def is_record(row, r, evidence, pairs):
    """At least half of the paired columns are filled, and what they hold is borne out."""
    seen = [evidence[m].get((r, c), 0.0) for m, (c, _) in pairs.items() if c in row]
    return bool(seen) and 2 * len(seen) >= len(pairs) and sum(seen) / len(seen) > LEAST_ROW


def sure_within(cell, spans):
    """The one span (start, end, score) within a cell (start, end), if it is sure."""
    inner = [s for s in spans if s[0] >= cell[0] and s[1] <= cell[1]]
    return inner[0] if len(inner) == 1 and inner[0][2] > SURE_SPAN else None


def holds_more(cells, spans):
    """Whether a column's cells hold more than values: sure spans of a good part of them are shorter than the cell."""
    inner = [sure_within(cell, spans) for cell in cells]
    return sum(bool(s) and s[:2] != cell for s, cell in zip(inner, cells)) >= PARTLY * len(cells)


def records(table, places, evidence, spans, names, ids):
    """places: as table, but (start, end) in the text; spans: per member [(start, end, score)] in document order. -> one record
    per row, [{member: (start, end, score, "cell" or "list")}]; [] where the table does not answer. A value is its cell, whose
    score is its column's, or, where the column holds more than values, a sure span within it; members without a column keep the
    best span of the row that nothing else claims."""
    pairs, rows = pair(table, evidence, names, ids)
    partly = {m: holds_more([places[r][c] for r in rows if c in places[r]], spans[m]) for m, (c, _) in pairs.items()}
    out = []
    for r in rows:
        record, row = {}, places[r]
        for m, (c, mean) in sorted(pairs.items()):
            if c in row:
                inner = sure_within(row[c], spans[m]) if partly[m] else None
                record[m] = (*inner, "list") if inner else (*row[c], mean, "cell")
        first, last = min(a for a, _ in row.values()), max(b for _, b in row.values())
        for m in sorted(set(range(len(names))) - set(pairs)):
            free = [s for s in spans[m] if s[0] >= first and s[1] <= last and
                    all(s[1] <= v[0] or s[0] >= v[1] for v in record.values())]
            if free:
                record[m] = (*max(free, key=lambda s: s[2]), "list")
        if record:
            out.append(record)
    return out
