"""Documents made in code: key-value dumps and tables with any field name of business, technology, medicine and law.

    document = dump(rng, values)  -> Document (see render.py); its fields are chosen by select.py like any other's

tables/fieldnames.txt holds the fields by domain: "type | names" (English), and in fieldnames.<lang>.txt
"type | native labels | English key names". The label in the text is one name, the key asked may be another.
"""
import re
from functools import lru_cache

from .keys import ABBREVIATIONS, STYLE, words
from .forms import FORM_WEIGHTS, FORMS
from .grids import TABLES
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
        self.voice.indent = None
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
                bare = [re.sub(plain, "", a).strip() if plain else a for a in entry.type.args]
                answer.index = entry.type.args.index(text) if text in entry.type.args else bare.index(text)
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
