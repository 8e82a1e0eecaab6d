"""Writes one text of a sheet with fresh values, and notes where each of them stands.

    document = render(sheet, text, voice, rng)  -> Document

Everything after this (noise, choice of fields) works on the Document; spans are [start, end] code points of its text.
"""
import re
from dataclasses import dataclass, field

from .keys import capital, words
from .sheets import Block, Choice, Many, Maybe, Stray, Switch, Value

MAYBE = 0.6         # how often a ((part)) stands
REPEATING = {"integer", "choice", "decimal", "percent", "oneof"}       # columns of these repeat their values
GAP = re.compile(r"( {2,})$")
LABEL = re.compile(r"[^\n:]{2,30}(:[ \t]+|[ \t]{2,})")


@dataclass
class Answer:
    """What the document says for one slot: mentions (scalar), values (list), records, or a flag's value."""
    slot: object
    spans: list = field(default_factory=list)
    records: list = field(default_factory=list)     # [{part name: [start, end]}, ...]
    index: int = None                               # of the option, for a choice
    flag: bool = None
    hinted: bool = False                            # only a {slot~} form was written: neither present nor truly absent

    @property
    def present(self):
        return bool(self.spans or self.records) or self.flag is not None


@dataclass
class Document:
    """A text and the answers it holds; `slots` are all declared fields, written or not. `types`: all types in the text."""
    text: str
    kind: str
    lang: str
    slots: dict
    answers: dict
    types: set
    found: list = field(default_factory=list)       # [(type name, [start, end])]: every value written, distractors too
    blurred: set = field(default_factory=set)       # types of which a {slot~} form stands in the text
    values: dict = field(default_factory=dict)      # slot name -> the value drawn, for checks
    cache: dict = field(default_factory=dict)       # what depends on the slots alone; a sheet's documents share one

    def owners(self):
        """Key words -> names of the slots that go by them; a key of two slots names neither."""
        return self._of_slots("owners", owners)

    def known_words(self):
        """Every word in a key name of any declared field or record part."""
        return self._of_slots("words", known_words)

    def _of_slots(self, name, make):
        if name not in self.cache:
            self.cache[name] = make(self.slots)
        return self.cache[name]

    def all_spans(self):
        """Every span list of the document, for those who move them."""
        for _, span in self.found:
            yield span
        for answer in self.answers.values():
            yield from answer.spans
            for record in answer.records:
                yield from record.values()


def owners(slots):
    found = {}
    for slot in slots.values():
        for key in slot.keys:
            found.setdefault(words(key), set()).add(slot.name)
    return found


def known_words(slots):
    every = [part for slot in slots.values() for part in (slot, *(slot.parts or {}).values())]
    return {word for slot in every for key in (*slot.keys, slot.name) for word in words(key)}


def render(sheet, text, voice, rng):
    """Draw one document from `text` of `sheet`."""
    return _Writer(sheet, voice, rng).write(text.nodes)


class _Writer:
    def __init__(self, sheet, voice, rng):
        self.sheet, self.voice, self.rng = sheet, voice, rng
        self.out, self.length = [], 0
        self.answers = {name: Answer(slot) for name, slot in sheet.slots.items()}
        self.values = {}            # scalar slot name -> value
        self.lists = {}             # list slot name -> values so far
        self.types, self.found, self.blurred = set(), [], set()
        self.record = None          # (spans, values, parts) of the record being written
        self.aligned = rng.random() < 0.5       # pad the columns of record blocks
        self.capital = rng.choices([None, capital, str.upper], [60, 30, 10])[0]

    def write(self, nodes):
        self.walk(nodes)
        text = "".join(self.out)
        sheet = self.sheet
        document = Document(text, sheet.kind, sheet.lang, sheet.slots, self.answers, self.types, self.found, self.blurred,
                            self.values, sheet.cache)
        return _trim(document)

    # ---- output -----------------------------------------------------------------------------

    def put(self, text):
        if text:
            self.out.append(text)
            self.length += len(text)

    def line(self):
        """The line being written, as far as the last few pieces tell."""
        return "".join(self.out[-12:]).rpartition("\n")[2]

    def put_value(self, text, kind):
        """Write a value of type `kind`. -> its span"""
        start = self.length
        self.put(text)
        self.found.append((kind.name, [start, self.length]))
        return [start, self.length]

    def put_short(self, value, kind):
        self.blurred.add(kind.name)
        self.put(self.voice.shorten(kind.name, value))

    def indent(self):
        """Where a value written here may go on in the next line: under a line's begin, or behind a label under either."""
        line = self.line()
        if not line:
            return ""
        if self.record or not LABEL.fullmatch(line):
            return None
        return self.rng.choice(["", " " * len(line), " " * len(line), None])

    def draw(self, kind, era=None):
        last = self.out[-1] if self.out else "\n"
        self.voice.indent = self.indent()
        self.types.add(kind.name)
        value = self.voice.draw(kind, era)
        if kind.name == "choice" and self.capital and re.search(r"(:|\n|\||\*|\t) *$", last):
            value = self.capital(value)
        return value

    # ---- nodes ------------------------------------------------------------------------------

    def walk(self, nodes):
        for node in nodes:
            if isinstance(node, str):
                self.put(node)
            else:
                HANDLERS[type(node)](self, node)

    def value(self, node):
        slot = node.slot
        if slot.type.name == "flag":
            return self.plain_flag(slot)
        if self.record and slot.name in self.record[2] and self.record[2][slot.name] is slot:
            return self.record_value(node)
        if slot.many:
            return self.list_value(slot)
        if slot.name not in self.values:
            self.values[slot.name] = self.draw(slot.type, slot.era)
        value = self.values[slot.name]
        self.types.add(slot.type.name)
        answer = self.answers[slot.name]
        if node.short:
            answer.hinted = True
            self.put_short(value, slot.type)
            return
        if slot.type.name == "choice":
            answer.index = _option(slot.type.args, value)
        answer.spans.append(self.put_value(value, slot.type))

    def record_value(self, node):
        spans, values, _ = self.record
        slot = node.slot
        if slot.name not in values:
            values[slot.name] = self.distinct(slot)
        value = values[slot.name]
        if node.short:
            self.put_short(value, slot.type)
        elif slot.name in spans:
            self.put_value(value, slot.type)
        else:
            spans[slot.name] = self.put_value(value, slot.type)

    def distinct(self, slot):
        """A value this list or column has not had yet, if a few draws find one."""
        seen = self.lists.setdefault(id(slot), set())
        for _ in range(6):
            value = self.draw(slot.type, slot.era)
            if value not in seen or (not slot.many and slot.type.name in REPEATING):
                break
        seen.add(value)
        return value

    def list_value(self, slot):
        value = self.distinct(slot)
        self.answers[slot.name].spans.append(self.put_value(value, slot.type))

    def many(self, node):
        count = self.rng.choices([1, 2, 3, 4, 5, 6], [8, 30, 28, 18, 10, 6])[0]
        for i in range(count):
            if i:
                self.put(node.last if i == count - 1 else node.separator)
            self.list_value(node.slot)

    def block(self, node):
        count = self.rng.choices([1, 2, 3, 4, 5, 6, 7, 8, 9], [6, 24, 22, 16, 11, 8, 5, 4, 4])[0]
        records, answer, starts = [], self.answers[node.slot.name], []
        outer = self.record
        for _ in range(count):
            self.record = ({}, {}, node.slot.parts)
            nodes = node.body
            if nodes and isinstance(nodes[0], str) and nodes[0].startswith(" ") and not nodes[0].startswith("  "):
                if not self.out or self.out[-1][-1] in " \n":
                    nodes = (nodes[0][1:],) + nodes[1:]
            starts.append(self.length)
            self.walk_columns(nodes)
            if self.record[0]:
                records.append(self.record[0])
        self.record = outer
        answer.records.extend(records)

    def walk_columns(self, nodes):
        """Like walk; where the body has columns set apart by blanks, pads them to one width."""
        column = 0
        for i, node in enumerate(nodes):
            if isinstance(node, str):
                gap = re.match(r" {2,}(?=\S|$)", node)
                if gap and i and self.aligned:
                    column = self.length - self.column_start
                    width = 12 * (1 + column // 12)
                    self.put(" " * max(2, width - column) + node[gap.end():])
                else:
                    self.put(node)
                if "\n" in node:
                    self.column_start = self.length
            else:
                if i == 0:
                    self.column_start = self.length
                HANDLERS[type(node)](self, node)

    column_start = 0

    def switch(self, node):
        answer = self.answers.get(node.slot.name)
        if self.record and node.slot.name in self.record[2]:
            self.walk(node.yes if self.rng.random() < 0.5 else node.no)
            return
        value = self.values.setdefault(node.slot.name, self.rng.random() < 0.5)
        before = self.length
        self.walk(node.yes if value else node.no)
        if self.length > before and "".join(self.out)[before:].strip():
            answer.flag = value

    def plain_flag(self, slot):
        """{flag} outside a switch: yes or no in the document's language."""
        yes, no = {"en": ("yes", "no"), "de": ("ja", "nein"), "fr": ("oui", "non"), "es": ("sí", "no"), "it": ("sì", "no")}[self.sheet.lang]
        if self.record and slot.name in self.record[2]:
            self.put(self.rng.choice([yes, no]))
            return
        value = self.values.setdefault(slot.name, self.rng.random() < 0.5)
        self.answers[slot.name].flag = value
        self.put(yes if value else no)

    def stray(self, node):
        self.put_value(self.draw(node.type), node.type)

    def choice(self, node):
        self.walk(self.rng.choice(node.branches))

    def maybe(self, node):
        if self.rng.random() < MAYBE:
            self.walk(node.body)


HANDLERS = {Value: _Writer.value, Many: _Writer.many, Block: _Writer.block, Switch: _Writer.switch, Stray: _Writer.stray,
            Choice: _Writer.choice, Maybe: _Writer.maybe}


def _option(options, value):
    """Index of the option written as `value`, whatever its case."""
    folded = value.casefold()
    return next(i for i, option in enumerate(options) if option.casefold() == folded)


def _trim(document):
    """Drop blank space around the text."""
    text = document.text
    cut = len(text) - len(text.lstrip("\n "))
    first = min((span[0] for span in document.all_spans()), default=cut)
    cut = min(cut, first)
    document.text = text[cut:].rstrip()
    if cut:
        for span in document.all_spans():
            span[0] -= cut
            span[1] -= cut
    return document
