"""The Generator: picks a source, renders, wears the text, asks fields. See __init__.py for what it yields."""
import random
from pathlib import Path

from . import dumps, noise
from .render import render
from .select import choose
from .sheets import load_sheets
from .values import Values

DOCUMENTS = Path(__file__).resolve().parent.parent / "documents"
DUMPS = 0.17        # share of examples made by dumps.py


class Generator:
    """Yields examples. `seed`: any int. `documents`: folder of sheets; raises SheetError on a faulty one, ValueError on none."""

    def __init__(self, seed=0, documents=DOCUMENTS):
        self.rng = random.Random(seed)
        self.values = Values(seed)
        self.sheets = load_sheets(documents)
        if not self.sheets:
            raise ValueError(f"no *.doc sheets below {documents}")
        self.weights = [len(sheet.texts) ** 0.5 for sheet in self.sheets]
        self.slots = {}         # language -> [scalar and list slots of a sheet, ...]; English keys are asked of any document
        for sheet in self.sheets:
            self.slots.setdefault(sheet.lang, []).append([slot for slot in sheet.slots.values() if slot.parts is None])

    def example(self):
        """One example; every call gives another."""
        while True:
            example = self._example()
            if example["fields"] and example["text"].strip():
                return example

    def __iter__(self):
        while True:
            yield self.example()

    def _example(self):
        rng = self.rng
        document = dumps.dump(rng, self.values) if rng.random() < DUMPS else self._document()
        fields = choose(rng, document, self._strangers(document.lang))
        text = document.text
        if rng.random() < noise.JOINED:
            text = noise.join(rng, document, fields, self._document())
        text = noise.wear(rng, text, document.lang, fields)
        return {"text": text, "lang": document.lang, "kind": document.kind, "fields": fields}

    def _document(self):
        sheet = self.rng.choices(self.sheets, self.weights)[0]
        text = self.rng.choices(sheet.texts, [text.size ** 0.8 for text in sheet.texts])[0]      # the longer the likelier
        return render(sheet, text, self.values.voice(self.rng, sheet.lang), self.rng)

    def _strangers(self, lang):
        """A few slots of other sheets, in the language or in English."""
        sheets = self.slots.get(lang if self.rng.random() < 0.5 else "en") or next(iter(self.slots.values()))
        slots = [slot for _ in range(2) for slot in self.rng.choice(sheets)]
        return self.rng.sample(slots, min(6, len(slots)))
