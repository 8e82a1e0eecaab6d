"""Reads document sheets (documents/FORMAT.md) into node lists.

    Sheet.load(path)  -> Sheet          raises SheetError "file:line: message"
    load_sheets(dir)  -> [Sheet, ...]   every *.doc below dir, sorted by path

A text is compiled once into a tuple of nodes; render.py walks them.

    "literal"                                  a plain str
    Value(slot, short)                         {slot}  {slot~}
    Many(slot, separator, last)                {slot, ", ", " and "}
    Block(slot, body)                          {slot: body}       one body for each record
    Switch(slot, yes, no)                      {flag? yes | no }
    Stray(type)                                {!type}            belongs to no field
    Choice(branches)                           [[a|b]]
    Maybe(body)                                ((a))
"""
import re
from collections import namedtuple
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

LANGUAGES = ("en", "de", "fr", "es", "it")

# Type name -> (fewest, most) arguments. `None` = any number.
TYPES = {name: (0, 0) for name in (
    "person first_name last_name company organisation product brand job username "
    "address street city postcode state country email phone url "
    "date time datetime year month duration weekday bigmoney currency temperature "
    "iban bic vatid ip mac uuid hash version path hostname isbn plate cardtail "
    "skill language disease drug degree university sentence phrase flag").split()}
TYPES.update(integer=(0, 2), decimal=(0, 2), money=(0, 2), percent=(0, 2), quantity=(2, 3), ident=(0, 1),
             choice=(2, None), oneof=(1, None))

Value = namedtuple("Value", "slot short")
Many = namedtuple("Many", "slot separator last")
Block = namedtuple("Block", "slot body")
Switch = namedtuple("Switch", "slot yes no")
Stray = namedtuple("Stray", "type")
Choice = namedtuple("Choice", "branches")
Maybe = namedtuple("Maybe", "body")


# Words of a name that tell when its date lies; the first match counts.
ERAS = [(era, frozenset(words.split())) for era, words in (
    ("birth", "birth birthday dob born geburt geburtsdatum geboren naissance nacimiento nascita"),
    ("after", "out checkout abreise salida uscita"), ("before", "in checkin anreise entrada ingresso"),
    ("after", "due end ends until expiry expires expiration deadline return arrival arrive arrives checkout departure_date delivery deliver maturity "
             "next renewal closing finish leaves leaving discharge completion valid_until pay_by faellig fällig ende bis frist lieferung echeance échéance "
             "fin limite vencimiento entrega hasta scadenza fine consegna entro review follow followup promised eta to"),
    ("before", "start starts begin begins from since issued issue order ordered hired joined opened admission checkin depart departs departure founded "
              "beginn von seit debut début inicio desde inizio dal ab previous last"))]


class SheetError(Exception):
    """A fault in a sheet; the message is "file:line: what is wrong"."""


@dataclass(frozen=True)
class Type:
    """A value type: name and arguments, e.g. ("integer", ("1", "20"))."""
    name: str
    args: tuple = ()


@dataclass
class Slot:
    """One declared field. `parts` is filled for record lists only, `type` for all others."""
    name: str
    type: Type = None
    keys: list = field(default_factory=list)
    description: str = None
    many: bool = False
    parts: dict = None
    line: int = 0

    @cached_property
    def era(self):
        """When a date or time of this name lies, seen from the document's own: "birth", "before", "after" or None."""
        if self.type is None or self.type.name not in ("date", "datetime", "time", "month", "year"):
            return None
        names = set(re.split(r"[_.\s]+", " ".join([self.name, *self.keys[:3]]).lower()))
        return next((era for era, words in ERAS if words & names), None)

    @property
    def group(self):
        return self.name.rpartition(".")[0]

    @property
    def leaf(self):
        return self.name.rpartition(".")[2]


@dataclass
class Text:
    """One way to write the document: its nodes, the line it starts on, and the characters of its source."""
    nodes: tuple
    line: int
    size: int


@dataclass
class Sheet:
    path: str
    kind: str
    lang: str
    slots: dict
    texts: list
    cache: dict = field(default_factory=dict)       # what others derive from the slots; see render.Document

    @staticmethod
    def load(path):
        return _Parser(str(path), Path(path).read_text(encoding="utf-8")).sheet()


def load_sheets(directory):
    """Every sheet below `directory` (pathlib or str), in path order."""
    return [Sheet.load(path) for path in sorted(Path(directory).rglob("*.doc"))]


# ---- header and fields ----------------------------------------------------------------

FIELD = re.compile(r"(?P<name>[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)(?P<mark>\*|\[\])?\s*(?P<rest>.*)$")
KEY = re.compile(r"[^\W\d][\w\-]*( [\w\-]+)*(\.[^\W\d][\w\-]*)*$")


class _Parser:
    def __init__(self, path, source):
        self.path = path
        self.lines = source.replace("\r\n", "\n").split("\n")

    def fail(self, line, message):
        raise SheetError(f"{self.path}:{line}: {message}")

    def sheet(self):
        starts = [i for i, line in enumerate(self.lines) if line.rstrip() == "text:"]
        if not starts:
            self.fail(len(self.lines), "no 'text:' line; a sheet needs at least one text")
        head, slots = self.header(starts[0])
        texts = []
        for start, end in zip(starts, starts[1:] + [len(self.lines)]):
            texts.append(self.text(start + 1, end, slots))
        self.check_used(slots, texts)
        return Sheet(self.path, head["kind"], head["lang"], slots, texts)

    def header(self, end):
        head = {}
        for number in range(end):
            line = self.lines[number].strip()
            if line == "fields:":
                break
            if not line or line.startswith("#"):
                continue
            name, colon, value = line.partition(":")
            if not colon or name not in ("kind", "lang"):
                self.fail(number + 1, f"expected 'kind:', 'lang:' or 'fields:', found '{line}'")
            head[name] = value.strip()
        else:
            self.fail(end, "no 'fields:' line before the first 'text:'")
        for name in ("kind", "lang"):
            if not head.get(name):
                self.fail(1, f"no '{name}:' line")
        if head["lang"] not in LANGUAGES:
            self.fail(1, f"lang '{head['lang']}' is not one of {', '.join(LANGUAGES)}")
        return head, self.fields(number + 1, end)

    def fields(self, start, end):
        slots, record, base = {}, None, None
        for number in range(start, end):
            line = self.lines[number]
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            indent = len(line) - len(line.lstrip(" "))
            base = indent if base is None else base
            slot = self.field(line.strip(), number + 1)
            if indent > base:
                if record is None:
                    self.fail(number + 1, f"'{slot.name}' is indented but stands below no 'name[]' field")
                if slot.many or slot.parts is not None:
                    self.fail(number + 1, f"'{slot.name}': a record holds plain values only")
                where = record.parts
            else:
                where, record = slots, slot if slot.parts is not None else None
            if slot.name in where:
                self.fail(number + 1, f"'{slot.name}' is declared twice")
            where[slot.name] = slot
        if not slots:
            self.fail(start, "no fields declared")
        for slot in slots.values():
            if slot.parts is not None and not slot.parts:
                self.fail(slot.line, f"'{slot.name}[]' has no fields of its own, two spaces further in")
        return slots

    def field(self, line, number):
        match = FIELD.match(line)
        if not match:
            self.fail(number, f"cannot read field '{line}'; expected 'slot = type ; keys ; description'")
        slot = Slot(match["name"], line=number, many=match["mark"] == "*")
        rest = match["rest"]
        if match["mark"] == "[]":
            slot.parts = {}
            if rest.startswith("="):
                self.fail(number, f"'{slot.name}[]' is a list of records and has no type of its own")
        elif not rest.startswith("="):
            self.fail(number, f"'{slot.name}' has no type; expected '{slot.name} = type ; keys'")
        else:
            slot.type, rest = self.type(rest[1:].strip(), number)
        rest = rest.strip()
        if rest and not rest.startswith(";"):
            self.fail(number, f"unexpected '{rest}' after the type of '{slot.name}'; a ';' goes before the keys")
        keys, _, description = rest[1:].partition(";")
        slot.keys = [key.strip() for key in keys.split(",") if key.strip()]
        for key in slot.keys:
            if not KEY.match(key):
                self.fail(number, f"'{key}' is no key name; use letters, digits and underscores")
        slot.description = description.strip() or None
        return slot

    def type(self, text, number):
        match = re.match(r"[a-z_]+", text)
        if not match:
            self.fail(number, f"expected a type, found '{text}'")
        name, rest, args = match[0], text[match.end():], ()
        if rest.startswith("("):
            depth = 0
            for close, char in enumerate(rest):
                depth += (char == "(") - (char == ")")
                if depth == 0:
                    break
            if depth:
                self.fail(number, f"no ')' closes the type '{name}('")
            args, rest = self.arguments(name, rest[1:close]), rest[close + 1:]
        self.check_type(name, args, number)
        return Type(name, args), rest

    @staticmethod
    def arguments(name, inner):
        if name == "ident":
            return (inner,)
        if name == "quantity":
            return tuple(part.strip() for part in inner.split(",", 2))
        cut = "|" if name in ("choice", "oneof") else ","
        return tuple(part.strip() for part in inner.split(cut))

    def check_type(self, name, args, number):
        if name not in TYPES:
            self.fail(number, f"unknown type '{name}'")
        low, high = TYPES[name]
        if len(args) < low or (high is not None and len(args) > high):
            self.fail(number, f"type '{name}' takes {low}{'' if high == low else f' to {high or chr(8734)}'} "
                              f"arguments, not {len(args)}")
        if any(not arg for arg in args):
            self.fail(number, f"type '{name}' has an empty argument")
        if name in ("integer", "decimal", "money", "quantity") and args:
            try:
                bounds = [float(arg) for arg in args[:2]]
            except ValueError:
                self.fail(number, f"the bounds of '{name}' must be numbers, not {', '.join(args[:2])}")
            if len(bounds) != 2 or bounds[0] > bounds[1]:
                self.fail(number, f"'{name}' takes a lower and an upper bound")

    # ---- texts --------------------------------------------------------------------------

    def text(self, start, end, slots):
        lines = self.lines[start:end]
        while lines and not lines[-1].strip():
            lines.pop()
        if not lines:
            self.fail(start, "empty text")
        source = "\n".join(lines)
        return Text(_TextParser(self, source, start + 1, slots).parse(), start + 1, len(source))

    def check_used(self, slots, texts):
        """A slot that no text ever writes is allowed: an honest absent field."""
        if not any(_slots_of(text.nodes) for text in texts):
            self.fail(texts[0].line, "no text of this sheet writes any of its fields")


def _slots_of(nodes):
    found = set()
    for node in nodes:
        if isinstance(node, (Value, Many, Block, Switch)):
            found.add(node.slot.name)
        if isinstance(node, Choice):
            for branch in node.branches:
                found |= _slots_of(branch)
        elif isinstance(node, Maybe):
            found |= _slots_of(node.body)
        elif isinstance(node, Switch):
            found |= _slots_of(node.yes) | _slots_of(node.no)
    return found


NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
STRING = re.compile(r'\s*,\s*"((?:[^"\\]|\\.)*)"')


class _TextParser:
    """Recursive descent over one text; `at` is the next character."""

    def __init__(self, sheet, source, line, slots):
        self.sheet, self.source, self.line, self.slots = sheet, source, line, slots
        self.at = 0
        self.record = None      # the Slot whose block we are in

    def fail(self, message, at=None):
        at = self.at if at is None else at
        self.sheet.fail(self.line + self.source.count("\n", 0, at), message)

    def parse(self):
        branches, _ = self.sequence(())
        return branches[0]

    def sequence(self, closers, split=False):
        """Nodes up to one of `closers`; with `split`, '|' starts another branch. -> (branches, closer)"""
        branches, nodes, plain, depth, start = [], [], [], 0, self.at

        def flush():
            if plain:
                nodes.append("".join(plain))
                plain.clear()

        while self.at < len(self.source):
            rest = self.source[self.at:self.at + 2]
            char = rest[0]
            if char == "\\" and len(rest) == 2:
                plain.append(rest[1])
                self.at += 2
            elif "))" in closers and char == ")" and depth > 0:
                depth -= 1
                plain.append(char)
                self.at += 1
            elif rest in closers or char in closers:
                flush()
                self.at += 2 if rest in closers else 1
                return branches + [tuple(nodes)], rest
            elif split and char == "|":
                flush()
                branches.append(tuple(nodes))
                nodes = []
                self.at += 1
            elif rest in ("[[", "((") or char == "{":
                flush()
                nodes.append(self.markup(rest))
            elif rest == "]]" or char == "}":
                self.fail(f"'{rest if rest == ']]' else char}' closes nothing; write a backslash before it to keep it")
            else:
                depth += char == "("
                plain.append(char)
                self.at += 1
        if closers:
            self.fail(f"no '{closers[0]}' closes the markup opened here", start - 1)
        flush()
        return branches + [tuple(nodes)], None

    def markup(self, opening):
        if opening == "[[":
            self.at += 2
            return Choice(tuple(self.sequence(("]]",), split=True)[0]))
        if opening == "((":
            self.at += 2
            return Maybe(self.sequence(("))",))[0][0])
        return self.braces()

    def braces(self):
        start = self.at
        self.at += 1
        if self.source.startswith("!", self.at):
            return self.stray(start)
        match = NAME.match(self.source, self.at)
        if not match:
            self.fail("expected a slot name after '{'; write \\{ for a brace", start)
        slot = self.slot(match[0], start)
        self.at = match.end()
        char = self.source[self.at:self.at + 1]
        if char == ":":
            return self.block(slot, start)
        if char == "?":
            return self.switch(slot, start)
        if char == ",":
            return self.many(slot, start)
        short = char == "~"
        self.at += short
        self.close(start)
        if slot.parts is not None:
            self.fail(f"'{slot.name}' is a list of records; write {{{slot.name}: ...}}", start)
        return Value(slot, short)

    def slot(self, name, start):
        if self.record and name in self.record.parts:
            return self.record.parts[name]
        if self.record and name.startswith(self.record.name + "."):
            inner = name[len(self.record.name) + 1:]
            if inner in self.record.parts:
                return self.record.parts[inner]
        if name not in self.slots:
            self.fail(f"'{name}' is not declared in fields:", start)
        return self.slots[name]

    def close(self, start):
        if not self.source.startswith("}", self.at):
            self.fail("no '}' closes the markup opened here", start)
        self.at += 1

    def stray(self, start):
        end = self.source.find("}", self.at)
        if end < 0:
            self.fail("no '}' closes the markup opened here", start)
        number = self.line + self.source.count("\n", 0, start)
        kind, rest = self.sheet.type(self.source[self.at + 1:end], number)
        if rest:
            self.fail(f"unexpected '{rest}' in a distractor", start)
        if kind.name == "flag":
            self.fail("a distractor cannot be a flag", start)
        self.at = end + 1
        return Stray(kind)

    def block(self, slot, start):
        if slot.parts is None:
            self.fail(f"'{slot.name}' is no list of records; declare it as '{slot.name}[]'", start)
        if self.record:
            self.fail("a record block cannot stand inside another", start)
        self.at += 1
        own_line = self.source.startswith("\n", self.at)
        self.at += own_line
        self.record = slot
        body = self.sequence(("}",))[0][0]
        self.record = None
        # A block whose body ends its own line also takes the line end behind its closing brace.
        if own_line and body and isinstance(body[-1], str) and body[-1].endswith("\n"):
            self.at += self.source.startswith("\n", self.at)
        return Block(slot, body)

    def switch(self, slot, start):
        if slot.type is None or slot.type.name != "flag":
            self.fail(f"'{slot.name}' is no flag", start)
        before = self.source[start - 1:start]
        self.at += 1
        branches = self.sequence(("}",), split=True)[0]
        if len(branches) > 2:
            self.fail("a flag has two texts: {flag? yes | no }", start)
        after = self.source[self.at:self.at + 1]
        branches = [_trim(nodes, before in ("", " ", "\n"), after in ("", " ", "\n")) for nodes in branches]
        return Switch(slot, branches[0], branches[1] if len(branches) > 1 else ())

    def many(self, slot, start):
        if not slot.many:
            self.fail(f"'{slot.name}' is no list; declare it as '{slot.name}*'", start)
        separators = []
        while match := STRING.match(self.source, self.at):
            separators.append(_unescape(match[1]))
            self.at = match.end()
        if not 1 <= len(separators) <= 2:
            self.fail('a list is written {slot, ", "} or {slot, ", ", " and "}', start)
        self.close(start)
        return Many(slot, separators[0], separators[-1])


def _trim(nodes, left, right):
    """Drop the blank beside '?', '|' and '}' where the text around the braces has one already."""
    nodes = list(nodes)
    if left and nodes and isinstance(nodes[0], str):
        nodes[0] = nodes[0].lstrip(" ")
    if right and nodes and isinstance(nodes[-1], str):
        nodes[-1] = nodes[-1].rstrip(" ")
    return tuple(node for node in nodes if node != "")


def _unescape(text):
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text)
