"""Chooses which fields of a Document a template asks for, and under which keys.

    fields = choose(rng, document, strangers)  -> [field dict, ...]   (the format stands in __init__.py)

`strangers` are slots of other sheets, asked now and then as fields this document cannot answer. Two rules keep the
training data true: no two fields of a template look alike to the model, and an absent field never carries a key that
something else in the text could answer.
"""
import re

from .keys import GENERIC, LEAVES, PARENTS, SYNONYMS, Namer, identity, is_generic, words
from .overview import overview
from .sheets import Slot

DESCRIPTIONS = {
    "en": ["the {}", "{}", "{} as written in the text", "what the document gives as {}", "{}, if stated", "the {} mentioned here"],
    "de": ["{}", "{} laut Dokument", "the {}", "{}, falls angegeben"], "fr": ["{}", "{} indiqué dans le document", "the {}"],
    "es": ["{}", "{} que figura en el documento", "the {}"], "it": ["{}", "{} riportato nel documento", "the {}"],
}
QUESTIONS = {
    "person": ["Who is the {}?", "name of the {}", "who is given as {}?"], "date": ["When is the {}?", "On which day is the {}?", "date given as {}"],
    "time": ["At what time is the {}?", "time of the {}"], "city": ["Where is the {}?", "Which city is the {}?"], "money": ["How much is the {}?", "amount of the {}", "What is the {}?"],
    "integer": ["How many: {}?", "number given as {}", "What is the {}?"], "flag": ["Is it true: {}?", "whether {}", "{}: yes or no?"], "company": ["Which company is the {}?", "Who is the {}?"],
    "any": ["What is the {}?", "Which {}?", "What does the document say about {}?", "find the {}", "extract the {}"],
}
LONG = 24   # characters
NUMERIC = {"money", "decimal", "percent", "integer", "quantity", "bigmoney", "temperature"}


def choose(rng, document, strangers=()):
    """Field dicts for a template over `document`; spans are copies."""
    return _Chooser(rng, document).choose(strangers)


def hint(rng, kind, rate=0.25):
    """A type hint for a value type, or None."""
    if rng.random() >= rate:
        return None
    if rng.random() < 0.08:
        return "string"
    if kind == "date":
        return "date"
    if kind == "integer":
        return rng.choice(["integer", "number"])
    if kind in NUMERIC:
        return "number"
    return "string" if rng.random() < 0.1 else None


class _Chooser:
    def __init__(self, rng, document):
        self.rng, self.document = rng, document
        self.namer = Namer(rng, document.kind)
        self.fields, self.seen, self.tops = [], set(), {}
        self.nested = {}                # group -> whether it is nested in this template
        self.owners = document.owners()
        self.parent = rng.choice(PARENTS + [_plain(document.kind)] * 9) if rng.random() < 0.08 else None

    def choose(self, strangers):
        rng = self.rng
        answers = self.document.answers
        present = [name for name, answer in answers.items() if answer.present]
        absent = [name for name, answer in answers.items() if not answer.present and not answer.hinted and not self.mentioned(answer.slot)]
        rng.shuffle(present)
        rng.shuffle(absent)
        if rng.random() < 0.4:      # lists and records first: few slots are, and templates love them
            present.sort(key=lambda name: answers[name].slot.parts is None and not answers[name].slot.many)
        elif rng.random() < 0.75:   # values of many words are few, and what a model cuts short
            present.sort(key=lambda name: not any(end - start > LONG for start, end in answers[name].spans))
        mode = rng.random()
        if mode < 0.20:
            names, foreign = present + absent, 0
        elif mode < 0.26:
            names, foreign = (present or absent)[:1], 0
            if rng.random() < 0.15 and absent:
                names = absent[:1]
        else:
            count = rng.randint(2, 22)
            share = rng.uniform(0.0, 0.5) if rng.random() < 0.85 else rng.uniform(0.5, 0.9)
            missing = round(count * share)
            names = present[:max(1, count - missing)] + absent[:missing]
            foreign = min(max(0, missing - len(absent)), 4) + (rng.random() < 0.2)
        rng.shuffle(names)
        for name in names:
            self.add(self.document.answers[name])
        if rng.random() < 0.12:
            self.add_overview()
        for slot in strangers[:foreign]:
            self.add_stranger(slot)
        rng.shuffle(self.fields)
        if self.parent:
            parent = self.namer.spell(self.parent)
            for field in self.fields:
                field["path"] = [parent] + field["path"]
        if rng.random() < 0.45:
            self.group_together()
        return self.fields

    def mentioned(self, slot):
        """Whether an option of an unwritten choice stands in the text all the same, or amounts tell the currency."""
        if slot.type is not None and slot.type.name == "currency":
            return bool(self.document.types & {"money", "bigmoney"})
        if slot.type is None or slot.type.name not in ("choice", "oneof"):
            return False
        text = self.document.text.casefold()
        return any(_stands_in(option.casefold(), text) for option in slot.type.args)

    def group_together(self):
        """Fields of one group side by side, as they stand in a real template."""
        order = {}
        for field in self.fields:
            order.setdefault(tuple(field["path"][:-1]) or (id(field),), []).append(field)
        self.fields[:] = [field for fields in order.values() for field in fields]

    # ---- one field --------------------------------------------------------------------------

    def add(self, answer):
        slot = answer.slot
        if slot.parts is not None:
            return self.add_records(answer)
        description = self.describe(slot)
        described = description is not None
        path = None
        if described and self.rng.random() < 0.35:
            path = self.claim([self.namer.vague()], slot)
        path = path or self.path(answer)
        if path is None:
            return
        field = {"path": path, "kind": "list" if slot.many else "scalar", "type": None,
                 "description": description, "spans": [list(span) for span in answer.spans]}
        self.fields.append(self.typed(field, slot, answer))

    def describe(self, slot):
        """The sheet's description, or now and then another name of the slot in words; mostly None."""
        rng = self.rng
        if slot.description is not None:
            return slot.description if rng.random() < (0.3 if slot.type.name == "flag" else 0.17) else None
        keys = [key for key in slot.keys if len(words(key)) > 1 or not is_generic(key)]
        if not keys or rng.random() >= 0.08:
            return None
        if rng.random() < 0.3:
            return rng.choice(QUESTIONS.get(slot.type.name, QUESTIONS["any"])).format(" ".join(words(rng.choice(keys))))
        return rng.choice(DESCRIPTIONS[self.document.lang]).format(" ".join(words(rng.choice(keys))))

    def typed(self, field, slot, answer):
        kind = slot.type.name
        if kind == "flag":
            del field["type"]
            return {**field, "kind": "boolean", "answer": answer.flag, "spans": []}
        if kind == "choice" and not slot.many and self.rng.random() < 0.5:
            options, index = self.options(slot.type.args, answer.index)
            return {**field, "kind": "enum", "options": options, "answer": index}
        field["type"] = hint(self.rng, kind)
        return field

    def options(self, options, index):
        """The options shuffled, spelled in another way now and then, sometimes with one more."""
        rng = self.rng
        order = list(range(len(options)))
        if rng.random() < 0.7:
            rng.shuffle(order)
        more = []
        if rng.random() < 0.2:
            more = rng.sample(["other", "unknown", "n/a", "not specified", "none of these"], rng.choice([1, 1, 2]))
        spell = rng.choices([str, str.lower, str.upper, str.capitalize, lambda text: text.lower().replace(" ", "_").replace("-", "_"),
                             lambda text: text.title().replace(" ", "")], [52, 10, 8, 10, 16, 4])[0]
        spelled = [spell(options[i]) for i in order] + [spell(text) for text in more if text not in options]
        if len(set(spelled)) < len(spelled):
            spelled = [options[i] for i in order]
        return spelled, (order.index(index) if index is not None else None)

    def path(self, answer):
        """A path for the slot that no other field of this template or sheet can be taken for, or None."""
        slot = answer.slot
        for _ in range(6):
            path = self.nested_path(slot) if self.is_nested(slot.group) else None
            path = path or self.flat_path(slot)
            if path and self.safe(path, answer) and self.claim(path, slot):
                return path
        return None

    def is_nested(self, group):
        if not group:
            return False
        if group not in self.nested:
            self.nested[group] = self.rng.random() < 0.6
        return self.nested[group]

    def nested_path(self, slot):
        rng, spell = self.rng, self.namer.spell
        others = {other.group for other in self.document.slots.values() if other.group and other.group != slot.group}
        taken = others | {name for group in others for name in [self.namer.groups.get(group)] if name}
        group = self.namer.group(slot.group, taken)
        dotted = [key.rpartition(".")[2] for key in slot.keys if "." in key]
        if dotted and rng.random() < 0.5:
            leaf = rng.choice(dotted)
        else:
            leaf = slot.leaf if rng.random() < 0.5 and slot.leaf not in LEAVES else rng.choice(LEAVES.get(slot.leaf, [slot.leaf]))
        return [spell(group), spell(leaf)]

    def flat_path(self, slot):
        rng = self.rng
        keys = [key for key in slot.keys if "." not in key]
        if not keys:
            return [self.namer.spell((rng.choice(slot.keys) if slot.keys else slot.name).replace(".", "_"))]
        key = self.reworded(rng.choice(keys))
        kind = words(self.document.kind)
        if self.parent and words(self.parent) == kind and words(key)[0] == kind[0] and len(words(key)) > 1 and rng.random() < 0.7:
            return [self.namer.spell("_".join(words(key)[1:]))]
        if "_" not in key and not slot.group and rng.random() < 0.12:
            prefixed = f"{kind[0]}_{key}"
            if len(kind) == 1 and words(key)[0] not in kind:
                return [self.namer.spell(prefixed)]
        return [self.namer.spell(key)]

    def reworded(self, key):
        """`key` with one of its words replaced by another that means the same; mostly as it is."""
        if self.rng.random() >= 0.08:
            return key
        parts = re.split(r"[_ ]", key)
        at = [i for i, part in enumerate(parts) if part in SYNONYMS]
        if at:
            i = self.rng.choice(at)
            parts[i] = self.rng.choice(SYNONYMS[parts[i]])
        return "_".join(parts)

    def safe(self, path, answer):
        """Whether only this slot can be meant. Absent fields: no bare key whose type stands in the text."""
        leaf = words(path[-1])
        slot = answer.slot
        if len(path) == 1 and self.owners.get(leaf, {slot.name}) - {slot.name}:
            return False
        if not answer.present and slot.type is not None and is_generic(path[-1]):
            return len(path) > 1 or not self.rival(slot.type.name)
        return True

    def rival(self, kind):
        """Whether a value of a like type stands in the text."""
        like = next((group for group in ALIKE if kind in group), {kind})
        return bool(like & self.document.types)

    def claim(self, path, slot):
        """Reserve `path`; None if it clashes with a field already asked."""
        name = identity(path)
        if not name or name in self.seen:
            return None
        top = path[0]
        if top in self.tops and (len(path) == 1 or self.tops[top] != slot.group):
            return None
        if any(other != top and words(other) == words(top) for other in self.tops):
            return None
        self.seen.add(name)
        self.tops[top] = slot.group if len(path) > 1 else object()
        return path

    # ---- records ----------------------------------------------------------------------------

    def add_records(self, answer):
        rng, slot = self.rng, answer.slot
        keys = [key for key in slot.keys if "." not in key and self.owners.get(words(key), {slot.name}) == {slot.name}] or [slot.name]
        parts = [part for part in slot.parts.values() if part.type.name != "flag"]
        if not parts:
            return
        if rng.random() < 0.18:
            return self.add_column(answer, keys, rng.choice(parts))
        path = None
        for _ in range(4):
            path = self.claim([self.namer.spell(rng.choice(keys))], slot)
            if path:
                break
        if not path:
            return
        written = [part for part in parts if any(part.name in record for record in answer.records)]
        unwritten = [part for part in parts if part not in written]
        chosen = written if rng.random() < 0.4 else rng.sample(written, rng.randint(1, len(written))) if written else []
        if unwritten and (not chosen or rng.random() < 0.35):
            chosen = chosen + rng.sample(unwritten, 1)
        rng.shuffle(chosen)
        fields, names = [], {}
        for part in chosen:
            key = self.part_key(part, parts, {words(name) for name in names.values()})
            if key:
                names[part.name] = key
                fields.append({"key": key, "type": hint(rng, part.type.name)})
        if not fields:
            return
        records = [{names[name]: list(span) for name, span in record.items() if name in names} for record in answer.records]
        if any(names.get(part.name) for part in written):
            records = [record for record in records if record]
        else:
            records = []
        self.fields.append({"path": path, "kind": "records", "description": slot.description if rng.random() < 0.15 else None,
                            "fields": fields, "records": records})

    def part_key(self, part, parts, taken):
        """A key of a record's part that none of its other parts goes by."""
        others = {words(key) for other in parts if other is not part for key in other.keys}
        keys = [key for key in part.keys if "." not in key] or [part.name]
        for _ in range(5):
            key = self.rng.choice(keys)
            spelled = self.namer.spell(key)
            if words(key) not in others and words(spelled) not in taken:
                return spelled
        return None

    def add_column(self, answer, keys, part):
        """One part of the records asked as a plain list."""
        rng, slot = self.rng, answer.slot
        parts = list(slot.parts.values())
        name = self.part_key(part, parts, set())
        if not name:
            return
        key = rng.choice(keys)
        if rng.random() < 0.5:
            path = [self.namer.spell(key), name]
        else:
            path = [self.namer.spell(f"{_singular(key)}_{_plural('_'.join(words(name)))}")]
            if len(words(name)) > 2 or set(words(key)) & set(words(name)):
                path = [self.namer.spell(_plural("_".join(words(name))))]
                if len(words(name)) < 2 or words(path[0]) in self.owners:
                    return
        if self.claim(path, slot):
            spans = [list(record[part.name]) for record in answer.records if part.name in record]
            self.fields.append({"path": path, "kind": "list", "type": hint(rng, part.type.name), "description": None, "spans": spans})

    def add_overview(self):
        """A list of everything of one kind in the text."""
        found = overview(self.rng, self.document)
        if not found or words(found[0]) in self.owners:
            return
        key, description, spans = found
        path = self.claim([self.namer.spell(key)], Slot(key))
        if path:
            self.fields.append({"path": path, "kind": "list", "type": None, "description": description, "spans": spans})

    # ---- absent fields of other sheets ----------------------------------------------------------

    def add_stranger(self, slot):
        """Ask for a slot of another sheet, only where nothing in this document could answer it."""
        if slot.type is None or slot.type.name in ("sentence", "phrase", "oneof", "choice"):
            return
        known = self.document.known_words()
        keys = [key for key in slot.keys if "." not in key and set(words(key)) - GENERIC and not set(words(key)) & known]
        if not keys or (slot.type.name != "flag" and self.rival(slot.type.name)):
            return
        path = self.claim([self.namer.spell(self.rng.choice(keys))], slot)
        if not path:
            return
        field = {"path": path, "kind": "list" if slot.many else "scalar", "type": None, "description": None, "spans": []}
        if slot.type.name == "flag":
            del field["type"]
            field.update(kind="boolean", answer=None)
        else:
            field["type"] = hint(self.rng, slot.type.name)
        self.fields.append(field)


# Types whose values can be mistaken for one another.
ALIKE = [
    {"person", "first_name", "last_name", "username"}, {"company", "organisation", "brand", "university"}, {"date", "datetime", "month", "year", "weekday"},
    {"time", "datetime"}, {"money", "bigmoney", "decimal", "integer", "percent", "quantity"}, {"address", "street", "city", "postcode", "state", "country"},
    {"ident", "uuid", "hash", "plate", "vatid", "isbn", "iban", "bic", "cardtail"}, {"product", "phrase", "oneof", "sentence", "job", "skill"},
    {"url", "hostname", "path", "ip"},
]


def _stands_in(words_, text):
    """Whether `words_` stands in `text` as whole words."""
    at = text.find(words_)
    while at >= 0:
        end = at + len(words_)
        if not text[at - 1:at].isalnum() and not text[end:end + 1].isalnum():
            return True
        at = text.find(words_, at + 1)
    return False


def _plain(kind):
    return "_".join(words(kind))


def _singular(key):
    return key[:-3] + "y" if key.endswith("ies") else key[:-1] if key.endswith("s") and not key.endswith("ss") else key


def _plural(key):
    if key.endswith("s"):
        return key
    return key[:-1] + "ies" if key.endswith("y") and key[-2:-1] not in "aeou" else key + "s"
