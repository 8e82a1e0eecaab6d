"""Key-value documents: every way to write "label and value". Each form is (writer, [(label, entry, answer, empty), ...]),
writing through dumps._Writer; FORMS and FORM_WEIGHTS are what dumps.py draws from."""
import re


class Form:
    def __init__(self, write, weight, titled=True):
        self.write, self.weight, self.titled = write, weight, titled


def lines(separators, before=("",), after=("\n",), padded=False):
    """One entry a line: before + label + separator + value + after."""
    def write(writer, items):
        rng = writer.rng
        separator, head, tail = rng.choice(separators), rng.choice(before), rng.choice(after)
        width = max(len(label) for label, *_ in items) + rng.randint(1, 6)
        for label, entry, answer, empty in items:
            writer.put(head + label)
            if padded:
                fill = separator[:1] if separator.strip() else " "
                writer.put((fill * max(2, width - len(label))) if fill in " ._" else " " * max(1, width - len(label)) + separator + " ")
                if fill in "._":
                    writer.put(" ")
            else:
                writer.put(separator)
            writer.write_value(entry, answer, empty)
            writer.put(tail)
    return write


def above(writer, items):
    """The label on one line, its value on the next."""
    rng = writer.rng
    gap, colon = rng.choice(["\n", "\n\n"]), rng.choice(["", "", ":"])
    for label, entry, answer, empty in items:
        writer.put(label + colon + "\n")
        writer.write_value(entry, answer, empty)
        writer.put(gap)


def below(writer, items):
    """The value first, its label under or behind it."""
    style = writer.rng.choice(["\n({})\n\n", "\n{}\n\n", " ({})\n", " - {}\n", "  [{}]\n"])
    for label, entry, answer, empty in items:
        if empty:
            continue
        writer.write_value(entry, answer, False)
        writer.put(style.format(label))


def inline(writer, items):
    """All in one run: 'Label: value; Label: value'."""
    rng = writer.rng
    joint, colon = rng.choice(["; ", " | ", ", ", " / ", " · ", " - ", "   "]), rng.choice([": ", ": ", "=", " "])
    plain = r"[,;|/·]" if joint != "   " else None
    for i, (label, entry, answer, empty) in enumerate(items):
        writer.put((joint if i else "") + label + colon)
        writer.write_value(entry, answer, empty, plain)


def two_columns(writer, items):
    """Two entries a line, as forms have them."""
    width = writer.rng.randint(30, 46)
    for i, (label, entry, answer, empty) in enumerate(items):
        start = writer.length
        writer.put(label + ": ")
        writer.write_value(entry, answer, empty)
        writer.put("\n" if i % 2 else " " * max(3, width - (writer.length - start)))


def label_rows(writer, items):
    """Printed forms: a row of labels and under each its value; where a box is empty, only the column tells whose value follows."""
    rng = writer.rng
    most, width, end = rng.randint(2, 5), rng.randint(16, 32), rng.choice(["\n", "\n\n", "\n\n"])
    for first in range(0, len(items), most):
        row, starts = items[first:first + most], [0]
        for label, *_ in row:
            starts.append(starts[-1] + max(width, len(label) + 2))
        writer.put("".join(label.ljust(b - a) for (label, *_), a, b in zip(row, starts, starts[1:])).rstrip() + "\n")
        begin = writer.length
        for start, (_, entry, answer, empty) in zip(starts, row):
            if not empty:
                if start:
                    writer.put(" " * max(2, start - (writer.length - begin)))
                writer.write_value(entry, answer, False, r"\n| {2,}", "", ", ")
        writer.put(end)


JSON_PLAIN = r'["\\\n\t]'
NUMBER_JSON = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?$")


def json_value(writer, entry, answer, empty):
    rng = writer.rng
    if entry.many and not empty:
        writer.put("[")
        writer.write_value(entry, answer, False, JSON_PLAIN, '"', ", ")
        writer.put("]")
    elif entry.type.name == "flag" and not empty:
        answer.flag = rng.random() < 0.5
        writer.put("true" if answer.flag else "false")
    elif empty:
        writer.put(rng.choice(["null", "null", '""', "[]" if entry.many else "null"]))
    else:
        text = writer.value(entry.type, JSON_PLAIN)
        bare = NUMBER_JSON.match(text) and entry.type.name not in ("ident", "year", "phone", "postcode")
        writer.put("" if bare else '"')
        if entry.type.name == "choice":
            answer.index = entry.type.args.index(text)
        answer.spans.append(writer.put_span(text))
        writer.put("" if bare else '"')


def json_form(writer, items):
    rng = writer.rng
    if writer.style in ("title", "sentence", "upper_words", "lower"):
        writer.style = rng.choice(["snake", "camel", "pascal", "kebab"])
        items = [(writer.label(entry), entry, answer, empty) for _, entry, answer, empty in items]
    pretty = rng.random() < 0.7
    new, step = ("\n", rng.choice(["  ", "    ", "\t"])) if pretty else (rng.choice(["", " "]), "")
    colon = ": " if pretty else rng.choice([":", ": "])
    cut = rng.randint(1, len(items)) if rng.random() < 0.3 else len(items)
    depth = 1
    writer.put("{" + new)
    if rng.random() < 0.15:
        depth = 2
        writer.put(step + f'"{rng.choice(["data", "result", "payload", writer.word, "record"])}"' + colon + "{" + new)
    for i, (label, entry, answer, empty) in enumerate(items):
        if i == cut:
            depth += 1
            writer.put(step * (depth - 1) + f'"{rng.choice(["details", "meta", "info", "extra", "attributes"])}"' + colon + "{" + new)
        writer.put(step * depth + f'"{label}"' + colon)
        json_value(writer, entry, answer, empty)
        writer.put(("," if i < len(items) - 1 else "") + new)
    for level in range(depth - 1, -1, -1):
        writer.put(step * level + "}" + (new if level else ""))


def yaml_form(writer, items):
    rng = writer.rng
    if writer.style not in ("snake", "camel", "kebab", "pascal"):
        writer.style = rng.choice(["snake", "snake", "camel", "kebab"])
        items = [(writer.label(entry), entry, answer, empty) for _, entry, answer, empty in items]
    step, quote = "", rng.choice(["", "", '"', "'"])
    if rng.random() < 0.4:
        writer.put(rng.choice(["---\n", "", "---\n"]) + rng.choice([writer.word, "data", "spec", "config", "record"]) + ":\n")
        step = "  "
    for label, entry, answer, empty in items:
        writer.put(step + label + ":")
        if entry.many and not empty:
            mark = f"\n{step}  - "
            writer.put(mark)
            writer.write_value(entry, answer, False, r"""["'\\,;]""", "", mark)
        else:
            writer.put(" ")
            if empty:
                writer.put(rng.choice(["", "null", "~"]))
            else:
                writer.write_value(entry, answer, False, r"""["'\\]""", quote if entry.type.name != "flag" else "")
        writer.put("\n")


def xml_form(writer, items):
    rng = writer.rng
    if writer.style not in ("snake", "camel", "kebab", "pascal"):
        writer.style = rng.choice(["camel", "pascal", "snake", "kebab"])
        items = [(writer.label(entry), entry, answer, empty) for _, entry, answer, empty in items]
    root = rng.choice(["record", "data", "document", writer.word, "entry", "root"])
    new = rng.choice(["\n", "\n", ""])
    attributes = rng.random() < 0.2
    if rng.random() < 0.3:
        writer.put('<?xml version="1.0" encoding="UTF-8"?>\n')
    writer.put(f"<{root}" + ("" if attributes else ">" + new))
    for label, entry, answer, empty in items:
        if attributes:
            writer.put(f' {label}="')
        else:
            writer.put(("  " if new else "") + f"<{label}>")
        if not empty:
            writer.write_value(entry, answer, False, r'[<>&"]')
        writer.put('"' if attributes else f"</{label}>" + new)
    writer.put("/>" if attributes else f"</{root}>")


def ini_form(writer, items):
    rng = writer.rng
    if writer.style not in ("snake", "camel", "upper"):
        writer.style = rng.choice(["snake", "upper", "camel"])
        items = [(writer.label(entry), entry, answer, empty) for _, entry, answer, empty in items]
    equals, quote = rng.choice(["=", " = ", "="]), rng.choice(["", "", '"'])
    if rng.random() < 0.6:
        writer.put(f"[{rng.choice([writer.word, 'general', 'settings', 'main', 'default'])}]\n")
    for label, entry, answer, empty in items:
        if rng.random() < 0.06:
            writer.put(rng.choice(["# checked\n", "; see manual\n", "\n", "# do not edit below\n"]))
        writer.put(label + equals)
        if not empty:
            writer.write_value(entry, answer, False, r'["\\]', quote if entry.type.name != "flag" else "")
        writer.put("\n")


def log_form(writer, items):
    """A log line with key=value pairs; values with blanks are quoted."""
    rng = writer.rng
    writer.style = rng.choice(["snake", "camel", "snake"])
    head = rng.choice(["", f"{rng.choice(['INFO', 'WARN', 'ERROR', 'DEBUG'])} ", f"[{rng.choice(['main', 'worker-2', 'http-7'])}] ", "kernel: ", "audit: ", "app[17]: "])
    writer.put(head + rng.choice(["request finished ", "record saved ", "", "event ", "update ", "processed "]))
    for _, entry, answer, empty in items:
        writer.put(writer.label(entry) + "=")
        if empty:
            writer.put(rng.choice(["-", "null", '""']))
        elif entry.type.name == "flag":
            writer.write_value(entry, answer, False)
        elif entry.many:
            writer.put("[")
            writer.write_value(entry, answer, False, r'["\\\s,;\]]', "", ",")
            writer.put("]")
        else:
            text = writer.value(entry.type, r'["\\\n]')
            quote = '"' if re.search(r"\s|=", text) else ""
            if entry.type.name == "choice":
                answer.index = entry.type.args.index(text)
            writer.put(quote)
            answer.spans.append(writer.put_span(text))
            writer.put(quote)
        writer.put(" ")


def apart(writer, items):
    """All labels first, then all values: how text is pulled out of a two-column page."""
    items = [item for item in items if not item[3]]
    joint = writer.rng.choice(["\n", "\n", "   ", ":\n"])
    writer.put(joint.join(label for label, *_ in items) + joint.rstrip(" ").rstrip("\n") + "\n" + writer.rng.choice(["", "\n"]))
    for i, (_, entry, answer, _) in enumerate(items):
        writer.put((joint.replace(":", "") if i else ""))
        writer.write_value(entry, answer, False, r" {2,}")


def header_row(writer, items):
    """A table of one row: the labels in a line, the values in the next."""
    rng = writer.rng
    items = items[: rng.randint(3, 8)] if len(items) > 3 else items
    joint = rng.choice([",", ";", "\t", " | ", "|", ", "])
    writer.put(joint.join(label for label, *_ in items) + "\n")
    for i, (label, entry, answer, empty) in enumerate(items):
        writer.put(joint if i else "")
        if not empty:
            writer.write_value(entry, answer, False, r"[,;|\t\n\"]", "", "/")


def markdown_rows(writer, items):
    """| Field | Value | rows."""
    rng = writer.rng
    if rng.random() < 0.8:
        writer.put(rng.choice(["| Field | Value |", "| Key | Value |", "| Property | Value |", "| Attribute | Data |", "| | |"]) + "\n| --- | --- |\n")
    bold = rng.choice(["", "", "**"])
    for label, entry, answer, empty in items:
        writer.put(f"| {bold}{label}{bold} | ")
        writer.write_value(entry, answer, empty, r"[|\n]")
        writer.put(" |\n")


def html_rows(writer, items):
    rng = writer.rng
    row, cell, end = rng.choice([("<tr><th>", "</th><td>", "</td></tr>\n"), ("<tr><td>", "</td><td>", "</td></tr>\n"), ("<dt>", "</dt><dd>", "</dd>\n"),
                                 ("<li><b>", "</b>: ", "</li>\n"), ('<div class="row"><span>', '</span><span>', "</span></div>\n"), ("<label>", "</label> ", "<br>\n")])
    for label, entry, answer, empty in items:
        writer.put(row + label + cell)
        writer.write_value(entry, answer, empty, r"[<>&]")
        writer.put(end)


SAYS = {
    "en": ["The {} is ", "{}: ", "Its {} was given as ", "{} - ", "We noted the {} as ", "The {} reads ", "For {} we have "],
    "de": ["{} ist ", "{}: ", "Als {} wurde angegeben: "], "fr": ["{} : ", "Concernant {} : "], "es": ["{}: ", "En cuanto a {}: "], "it": ["{}: ", "Per {}: "],
}


def sentences(writer, items):
    """One short sentence an entry."""
    rng = writer.rng
    writer.style = "lower"
    for _, entry, answer, empty in items:
        if empty or entry.type.name == "flag":
            continue
        writer.put(rng.choice(SAYS[writer.lang]).format(writer.label(entry)))
        writer.write_value(entry, answer, False)
        writer.put(rng.choice([". ", ". ", ".\n", "; "]))


def query_string(writer, items):
    writer.style = writer.rng.choice(["snake", "camel"])
    writer.put(writer.rng.choice(["https://api.example.com/v1/save?", "?", "POST /submit ", ""]))
    for i, (_, entry, answer, empty) in enumerate(items):
        writer.put(("&" if i else "") + writer.label(entry) + "=")
        if not empty:
            writer.write_value(entry, answer, False, r"[\s&=%?+]", "", ",")


def form_boxes(writer, items):
    """A filled-in form: numbered boxes."""
    rng = writer.rng
    number = rng.randint(1, 3)
    shape = rng.choice(["{}. {}\n   ", "({}) {}: ", "[{}] {} ... ", "{} {}\n", "Box {} {}: ", "{}) {} "])
    for label, entry, answer, empty in items:
        writer.put(shape.format(number, label))
        writer.write_value(entry, answer, empty)
        writer.put("\n")
        number += 1


FORMS = [
    Form(lines([": ", ": ", ":", ":  ", " : ", ":\t"]), 22), Form(lines(["=", " = ", " -> ", " - ", " – ", "\t", " ", "   ", " => ", " | "]), 10),
    Form(lines([": "], before=["- ", "* ", "• ", "– ", "  ", "> ", "+ "]), 5), Form(lines(["** ", ":** ", "**: "], before=["**", "- **"]), 4),
    Form(lines([".", ".", " ", ":", "_", "|"], padded=True), 10), Form(above, 8), Form(below, 2), Form(inline, 7), Form(two_columns, 5), Form(label_rows, 8),
    Form(json_form, 9, False), Form(yaml_form, 5, False), Form(xml_form, 4, False), Form(ini_form, 3, False), Form(log_form, 4, False),
    Form(header_row, 4), Form(apart, 3), Form(markdown_rows, 4), Form(html_rows, 3), Form(sentences, 5), Form(query_string, 1, False), Form(form_boxes, 3),
]
FORM_WEIGHTS = [form.weight for form in FORMS]
