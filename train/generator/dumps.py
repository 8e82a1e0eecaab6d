"""Documents made in code: key-value dumps and tables with any field name of business, technology, medicine and law.

    document = dump(rng, values)  -> Document (see render.py); its fields are chosen by select.py like any other's

tables/fieldnames.txt holds the fields by domain: "type | names" (English), and in fieldnames.<lang>.txt
"type | native labels | English key names". The label in the text is one name, the key asked may be another.
"""
import re
from functools import lru_cache

from .keys import ABBREVIATIONS, STYLE, words
from .render import Answer, Document
from .sections import sections
from .sheets import Slot, _Parser
from .values import ascii_fold, table

SECTIONS, TABULAR = 0.14, 0.3       # shares of the dumps with repeated sections, with tables
EMPTY = ["", "", "", "-", "n/a", "N/A", "—", "--", "null", "None", "____________", "not provided", "TBD", "unknown", "(blank)", "."]
TRUE_FALSE = [("true", "false"), ("yes", "no"), ("Yes", "No"), ("on", "off"), ("1", "0"), ("Y", "N"), ("TRUE", "FALSE"), ("[x]", "[ ]"), ("enabled", "disabled")]
TRUE_FALSE_IN = {"de": [("ja", "nein"), ("Ja", "Nein")], "fr": [("oui", "non"), ("Oui", "Non")], "es": [("sí", "no"), ("Sí", "No")], "it": [("sì", "no"), ("Sì", "No")]}


class Entry:
    """A field of the pool: its type, the names it is labelled with, the names it is asked by."""

    def __init__(self, type, many, labels, keys):
        self.type, self.many, self.labels, self.keys = type, many, labels, keys
        self.sets = [frozenset(words(name)) for name in dict.fromkeys(labels + keys)]
        self.verdicts = {}          # other entry -> whether it clashes; the pool is small and asked again and again

    def clashes(self, other):
        """Whether one of the names of one is contained in a name of the other."""
        if other not in self.verdicts:
            self.verdicts[other] = any(a <= b or b <= a for a in self.sets for b in other.sets)
        return self.verdicts[other]

    def same(self, other):
        return any(a == b for a in self.sets for b in other.sets)


@lru_cache(maxsize=None)
def pool(lang):
    """[(domain, record list names, entries)] of a language."""
    parser, domains = _Parser(f"fieldnames.{lang}", ""), []
    for number, line in enumerate(table("fieldnames", lang), 1):
        if line.startswith("["):
            domain, _, records = line.strip("[]").partition(":")
            domains.append((domain, [name.strip() for name in records.split(",")], []))
            continue
        match = re.match(r"([a-z_]+(?:\(.*?\))?)(\*?) \| ([^|]*?)(?: \| ([^|]*))?$", line)
        if not match:
            parser.fail(number, f"expected 'type | names', found '{line}'")
        labels = [name.strip() for name in match[3].split(",")]
        keys = [name.strip() for name in (match[4] or match[3]).split(",")]
        domains[-1][2].append(Entry(parser.type(match[1], number)[0], bool(match[2]), labels, keys))
    return domains


def dump(rng, values):
    """A dump or table Document with fresh values."""
    lang = rng.choices(["en", "de", "fr", "es", "it"], [76, 8, 6, 5, 5])[0]
    writer = _Writer(rng, values.voice(rng, lang), lang)
    roll = rng.random()
    if roll < SECTIONS:
        sections(writer)
    elif roll < SECTIONS + TABULAR:
        writer.table_document()
    else:
        writer.fields_document()
    return writer.document()


def _label_style(rng):
    return rng.choices(["title", "sentence", "snake", "camel", "upper_words", "lower", "upper", "kebab", "pascal"], [34, 18, 12, 10, 9, 7, 3, 3, 2])[0]


class _Writer:
    def __init__(self, rng, voice, lang):
        self.rng, self.voice, self.lang = rng, voice, lang
        self.out, self.length = [], 0
        self.record_names = ["records"]
        self.slots, self.answers, self.types = {}, {}, set()
        self.style, self.short = _label_style(rng), rng.random() < 0.12
        self.bools = rng.choice(TRUE_FALSE if lang == "en" or rng.random() < 0.4 else TRUE_FALSE_IN[lang])
        self.domains = pool(lang)
        self.declared = []          # entries with a slot, written or not
        self.kind = "record"

    @property
    def word(self):
        """The domain in one word, without umlauts: for tags and sections."""
        return ascii_fold(self.kind.split()[0])

    def document(self):
        return Document("".join(self.out), self.kind, self.lang, self.slots, self.answers, self.types)

    def put(self, text):
        self.out.append(text)
        self.length += len(text)

    def put_span(self, text):
        start = self.length
        self.put(text)
        return [start, self.length]

    # ---- what to write ------------------------------------------------------------------------

    def entries(self, count, single=False):
        """`count` entries, no two of one name, and further ones of the same domains that are left out."""
        rng = self.rng
        domains = rng.sample(self.domains, 1 if single or rng.random() < 0.6 else min(len(self.domains), rng.randint(2, 3)))
        self.kind = domains[0][0] + " data"
        self.record_names = domains[0][1]
        everything = [entry for _, _, entries in domains for entry in entries]
        rng.shuffle(everything)
        chosen = []
        for entry in everything:
            if len(chosen) < count and not any(entry.same(other) for other in chosen):
                chosen.append(entry)
        rest = [entry for entry in everything if entry not in chosen and not any(entry.clashes(other) for other in chosen)]
        return chosen, rest

    def declare(self, entry, many=None):
        """A Slot for the entry, with its empty Answer."""
        name = f"f{len(self.slots)}"
        slot = Slot(name, entry.type, list(entry.keys), many=entry.many if many is None else many)
        self.declared.append(entry)
        self.slots[name] = slot
        self.answers[name] = Answer(slot)
        return self.answers[name]

    def absent(self, rest, count):
        """Declare entries nothing was written for; no two of one name."""
        taken = []
        for entry in rest:
            if len(taken) < count and not any(entry.clashes(other) for other in taken):
                taken.append(entry)
                self.declare(entry)

    def label(self, entry):
        name = self.rng.choice(entry.labels)
        return self.styled(name)

    def styled(self, name):
        if self.lang != "en" and self.style not in ("snake", "upper_words", "kebab"):
            return name
        parts = re.split(r"[_ ]", name)
        if self.short and len(parts) > 1:
            parts = [self.rng.choice(ABBREVIATIONS[part]) if part in ABBREVIATIONS and self.rng.random() < 0.5 else part for part in parts]
        if self.style == "upper_words":
            return " ".join(parts).upper()
        return STYLE[self.style](parts)

    def value(self, kind, plain=None, era=None):
        """A value on one line; `plain` is a pattern of what it must not hold (quotes, separators)."""
        self.types.add(kind.name)
        self.voice.line_start = False
        for _ in range(8):
            text = self.voice.draw(kind, era).replace("\n", ", ")
            if not plain or not re.search(plain, text):
                return text
        return re.sub(plain, "", text).strip() or "0"

    # ---- key-value documents --------------------------------------------------------------------

    def fields_document(self):
        rng = self.rng
        count = rng.choice([rng.randint(4, 10), rng.randint(4, 25), rng.randint(2, 5)])
        chosen, rest = self.entries(count)
        form = rng.choices(FORMS, FORM_WEIGHTS)[0]
        items = []
        for entry in chosen:
            answer = self.declare(entry)
            items.append((self.label(entry), entry, answer, rng.random() < 0.09))
        self.absent(rest, rng.randint(1, 9))
        if rng.random() < 0.25 and form.titled:
            self.put(self.title() + "\n")
            if rng.random() < 0.5:
                self.put(rng.choice(["=", "-", "*"]) * rng.randint(8, 50) + "\n")
        form.write(self, items)
        if rng.random() < 0.15 and form.titled and self.lang == "en":
            self.small_table(single=True)

    def title(self):
        rng = self.rng
        title = rng.choice([self.kind.title(), self.kind.split()[0].title(), rng.choice(self.record_names).replace("_", " ").title(), "Record", "Details", "Overview", "Report", "Data sheet", "Form",
                            "Export", "Summary", "General information", "Stammdaten" if self.lang == "de" else "Profile"])
        return title.upper() if rng.random() < 0.3 else title

    def write_value(self, entry, answer, empty, plain=False, quote="", join=None):
        """The value(s) of one entry, or an empty mark. `quote` goes around each value."""
        rng = self.rng
        if empty:
            self.put(quote + rng.choice(EMPTY) + quote if quote and rng.random() < 0.5 else "null" if quote == '"' else rng.choice(EMPTY))
            return
        if entry.type.name == "flag":
            answer.flag = rng.random() < 0.5
            self.put(self.bools[not answer.flag])
            return
        count = rng.choices([1, 2, 3, 4, 5], [10, 35, 30, 15, 10])[0] if entry.many else 1
        last = None
        for i in range(count):
            text = self.value(entry.type, plain or (r"[,;\n]" if entry.many else None))
            if entry.many and text == last:
                continue
            if i:
                self.put(join or ", ")
            last = text
            self.put(quote)
            if entry.type.name == "choice":
                answer.index = entry.type.args.index(text)
            answer.spans.append(self.put_span(text))
            self.put(quote)

    # ---- tables -------------------------------------------------------------------------------------

    def table_document(self):
        rng = self.rng
        if rng.random() < 0.35:
            chosen, rest = self.entries(rng.randint(1, 5))
            self.absent(rest, rng.randint(0, 3))
            separator = rng.choice([": ", ": ", " = ", "\t", ":  "])
            for entry in chosen:
                self.put(self.label(entry) + separator)
                self.write_value(entry, self.declare(entry), rng.random() < 0.06)
                self.put("\n")
            self.put("\n")
        elif rng.random() < 0.3:
            self.entries(1)
            self.put(self.title() + "\n\n")
        self.small_table()

    def small_table(self, single=False):
        rng = self.rng
        chosen, rest = self.entries(rng.randint(2, 8), single=True)
        chosen = [entry for entry in chosen if not entry.many and entry.type.name != "sentence"
                  and not any(entry.clashes(other) for other in self.declared)][:7]
        if len(chosen) < 2:
            return
        parts = {f"p{i}": Slot(f"p{i}", entry.type, list(entry.keys)) for i, entry in enumerate(chosen)}
        rest = [entry for entry in rest if not entry.many and entry.type.name != "flag"][:1]
        for entry in rest:
            parts["p_absent"] = Slot("p_absent", entry.type, list(entry.keys))
        slot = Slot(f"f{len(self.slots)}", None, [name for name in self.record_names], parts=parts)
        answer = Answer(slot)
        self.slots[slot.name], self.answers[slot.name] = slot, answer
        heads = [self.label(entry) for entry in chosen]
        rows = rng.choice([rng.randint(2, 5), rng.randint(2, 12), 1])
        if single:
            self.put("\n\n")
        layout = rng.choice(TABLES)
        plain = layout.plain
        cells = []
        for _ in range(rows):
            row = []
            for entry in chosen:
                if rng.random() < 0.04:
                    row.append(None)
                elif entry.type.name == "flag":
                    row.append(self.bools[rng.random() < 0.5])
                else:
                    row.append(self.value(entry.type, plain))
            if all(cell is None for cell in row):
                row[0] = self.value(chosen[0].type, plain) if chosen[0].type.name != "flag" else self.bools[0]
            cells.append(row)
        layout.write(self, heads, cells, chosen, answer)
        answer.records = [record for record in answer.records if record]

    def cell(self, record, name, entry, text, missing=""):
        """Write one cell and note its span; None is written as `missing`."""
        if text is None:
            self.put(missing)
        elif entry.type.name == "flag":
            self.put(text)
        else:
            record[name] = self.put_span(text)


# ---- forms of key-value documents: (writer, [(label, entry, answer, empty)]) --------------------------

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
    rng, width = writer.rng, writer.rng.randint(30, 46)
    for i, (label, entry, answer, empty) in enumerate(items):
        start = writer.length
        writer.put(label + ": ")
        writer.write_value(entry, answer, empty)
        writer.put("\n" if i % 2 else " " * max(3, width - (writer.length - start)))


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
    Form(lines([".", ".", " ", ":", "_", "|"], padded=True), 10), Form(above, 8), Form(below, 2), Form(inline, 7), Form(two_columns, 5),
    Form(json_form, 9, False), Form(yaml_form, 5, False), Form(xml_form, 4, False), Form(ini_form, 3, False), Form(log_form, 4, False),
    Form(header_row, 4), Form(apart, 3), Form(markdown_rows, 4), Form(html_rows, 3), Form(sentences, 5), Form(query_string, 1, False), Form(form_boxes, 3),
]
FORM_WEIGHTS = [form.weight for form in FORMS]


# ---- layouts of tables: (writer, heads, cells, entries, answer) ---------------------------------------

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
