"""Endless training documents with exact answers.

    from generator import Generator
    g = Generator(seed=1)
    example = g.example()

An example is {"text": str, "lang": "en", "kind": "invoice", "fields": [field, ...]}; a field is one of

    {"path": ["seller", "name"], "kind": "scalar" | "list", "type": None | "string" | "number" | "integer" | "date",
     "description": None | str, "spans": [[start, end], ...]}        scalar: every mention; [] = absent. list: every value
    {"path": ["status"], "kind": "enum", "type": None, "description", "options": ["open", "paid"],
     "answer": index | None, "spans": [...]}                         spans: where it is said, may be []
    {"path": ["express"], "kind": "boolean", "description", "answer": True | False | None, "spans": []}
    {"path": ["items"], "kind": "records", "description", "fields": [{"key": "price", "type": None}, ...],
     "records": [{"price": [start, end], ...}, ...]}                 in document order; a missing key = null

Spans are code points of the text, end exclusive. The same seed and sheets give the same examples.

Two sources: the sheets in ../documents (sheets.py, render.py), and key-value dumps, tables and repeated sections made in
code (dumps.py with forms.py and grids.py, sections.py) from the field names in tables/fieldnames*.txt.
Values come from values.py and tables/; select.py and keys.py decide what is asked and how it is called; noise.py wears
the text as scanning, mailing and pasting do. Look at some: `python -m generator --count 5 --pretty`.
"""
from .source import Generator
from .sheets import SheetError

__all__ = ["Generator", "SheetError"]
