"""Tables and lists of records. Each layout is (writer, heads, cells, entries, answer), writing through dumps._Writer and
appending a record of spans to the answer for every row; TABLES is what dumps.py draws from."""
from .forms import JSON_PLAIN, NUMBER_JSON


class Layout:
    def __init__(self, write, plain=None):
        self.write, self.plain = write, plain


def _rows(writer, cells, entries, answer, joint, before="", after="\n", missing="", widths=None):
    for row in cells:
        record = {}
        writer.put(before)
        for i, (entry, text) in enumerate(zip(entries, row)):
            writer.put(joint if i else "")
            start = writer.length
            writer.cell(record, f"p{i}", entry, text, missing)
            if widths and i < len(row) - 1:
                writer.put(" " * max(0, widths[i] - (writer.length - start)))
        writer.put(after)
        answer.records.append(record)


def separated(writer, heads, cells, entries, answer):
    joint = writer.rng.choice([",", ",", ";", "\t", "|", ", "])
    if writer.rng.random() < 0.95:
        writer.put(joint.join(heads) + "\n")
    _rows(writer, cells, entries, answer, joint)


def aligned(writer, heads, cells, entries, answer):
    rng = writer.rng
    widths = [max(len(head), *(len(row[i] or "-") for row in cells)) for i, head in enumerate(heads)]
    gap = " " * rng.randint(2, 4)
    writer.put(gap.join(head.ljust(width) for head, width in zip(heads, widths)).rstrip() + "\n")
    if rng.random() < 0.5:
        writer.put(rng.choice("-=_") * (sum(widths) + len(gap) * (len(heads) - 1)) + "\n")
    _rows(writer, cells, entries, answer, gap, missing=rng.choice(["-", "", "n/a"]), widths=widths)


def markdown(writer, heads, cells, entries, answer):
    writer.put("| " + " | ".join(heads) + " |\n|" + "|".join(writer.rng.choice([" --- ", "---", ":--", "---:"]) for _ in heads) + "|\n")
    _rows(writer, cells, entries, answer, " | ", "| ", " |\n", missing=writer.rng.choice(["", "-"]))


def html_table(writer, heads, cells, entries, answer):
    writer.put("<table>\n<tr><th>" + "</th><th>".join(heads) + "</th></tr>\n")
    _rows(writer, cells, entries, answer, "</td><td>", "<tr><td>", "</td></tr>\n")
    writer.put("</table>")


def json_rows(writer, heads, cells, entries, answer):
    rng = writer.rng
    writer.style = rng.choice(["snake", "camel"])
    heads = [writer.label(entry) for entry in entries]
    line_wise = rng.random() < 0.4
    writer.put("" if line_wise else rng.choice(["[", "[\n", f'{{"{rng.choice(answer.slot.keys)}": [\n']))
    closing = "" if line_wise else "]}" if '": [' in writer.out[-1] else "]"
    for n, row in enumerate(cells):
        record = {}
        writer.put("{")
        for i, (entry, text) in enumerate(zip(entries, row)):
            writer.put((", " if i else "") + f'"{heads[i]}": ')
            quote = "" if text is None or (NUMBER_JSON.match(text) and entry.type.name not in ("ident", "phone")) else '"'
            writer.put(quote)
            writer.cell(record, f"p{i}", entry, text, "null")
            writer.put(quote)
        writer.put("}" + ("\n" if line_wise else ",\n" if n < len(cells) - 1 else "\n"))
        answer.records.append(record)
    writer.put(closing)


def blocks(writer, heads, cells, entries, answer):
    """Each record a block of 'Label: value' lines."""
    rng = writer.rng
    colon, gap = rng.choice([": ", ": ", " = ", ":  ", "\t"]), rng.choice(["\n", "\n---\n", "\n\n", "------------------\n", "***\n"])
    numbered = rng.choice([None, None, "{} {}\n", "#{1}\n", "{1}.\n", "{} no. {}\n"])
    name = rng.choice(answer.slot.keys).replace("_", " ").rstrip("s").capitalize()
    for n, row in enumerate(cells):
        record = {}
        if numbered:
            writer.put(numbered.format(name, n + 1))
        for i, (entry, text) in enumerate(zip(entries, row)):
            if text is None and rng.random() < 0.5:
                continue
            writer.put(heads[i] + colon)
            writer.cell(record, f"p{i}", entry, text)
            writer.put("\n")
        writer.put(gap if n < len(cells) - 1 else "")
        answer.records.append(record)


def listed(writer, heads, cells, entries, answer):
    """One record a line with labels inside: '1. Name X, price Y'."""
    rng = writer.rng
    mark, colon, joint = rng.choice(["{}. ", "- ", "* ", "{}) ", "• ", ""]), rng.choice([": ", " ", "=", " - "]), rng.choice([", ", "; ", " | ", " / "])
    for n, row in enumerate(cells):
        record = {}
        writer.put(mark.format(n + 1))
        first = True
        for i, (entry, text) in enumerate(zip(entries, row)):
            if text is None:
                continue
            writer.put(("" if first else joint) + (heads[i] + colon if i or rng.random() < 0.5 else ""))
            writer.cell(record, f"p{i}", entry, text)
            first = False
        writer.put("\n")
        answer.records.append(record)


def yaml_rows(writer, heads, cells, entries, answer):
    rng = writer.rng
    writer.style = rng.choice(["snake", "camel", "kebab"])
    heads = [writer.label(entry) for entry in entries]
    writer.put(rng.choice(answer.slot.keys) + ":\n")
    for row in cells:
        record, first = {}, True
        for i, (entry, text) in enumerate(zip(entries, row)):
            writer.put(("  - " if first else "    ") + heads[i] + ": ")
            writer.cell(record, f"p{i}", entry, text, "null")
            writer.put("\n")
            first = False
        answer.records.append(record)


def xml_rows(writer, heads, cells, entries, answer):
    rng = writer.rng
    writer.style = rng.choice(["snake", "camel", "pascal"])
    heads = [writer.label(entry) for entry in entries]
    tag = rng.choice(answer.slot.keys).rstrip("s") or "row"
    writer.put(f"<{tag}s>\n")
    for row in cells:
        record = {}
        writer.put(f"  <{tag}>")
        for i, (entry, text) in enumerate(zip(entries, row)):
            writer.put(f"<{heads[i]}>")
            writer.cell(record, f"p{i}", entry, text)
            writer.put(f"</{heads[i]}>")
        writer.put(f"</{tag}>\n")
        answer.records.append(record)
    writer.put(f"</{tag}s>")


TABLES = [Layout(separated, r"[,;|\t\"\n]"), Layout(separated, r"[,;|\t\"\n]"), Layout(aligned), Layout(aligned), Layout(markdown, r"[|]"),
          Layout(blocks), Layout(blocks), Layout(listed, r"[,;|/]"), Layout(json_rows, JSON_PLAIN), Layout(html_table, r"[<>&]"),
          Layout(yaml_rows, r"""["'\\]"""), Layout(xml_rows, r"[<>&]")]
