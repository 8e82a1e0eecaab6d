"""The sets that are measured on, and the goals. Used by run.py and quick.py.

The measure-only sets are read here and in no script that fits or chooses anything.
"""
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass
class Row:
    """One line of the table. `kinds`: which template leaves it scores."""
    title: str
    sets: list
    goal: float | None = None
    kinds: tuple = ("scalar", "list", "records")
    only: str = ""       # business: "fit", "report" or a language
    mean: bool = False   # the plain mean over `sets` instead of one pool


CROSSNER = ["crossner_ai", "crossner_literature", "crossner_music", "crossner_politics", "crossner_science"]
ROWS = [
    Row("quick start", ["quickstart"], 1.0),
    Row("business documents (report half)", ["business"], 0.90, only="report"),
    Row("business documents (fit half)", ["business"], None, only="fit"),
    Row("· report half, English", ["business"], None, only="report-en"),
    Row("· both halves, German, French, Spanish, Italian", ["business"], None, only="foreign"),
    Row("· both halves, German", ["business"], None, only="de"),
    Row("· both halves, French", ["business"], None, only="fr"),
    Row("· both halves, Spanish", ["business"], None, only="es"),
    Row("· both halves, Italian", ["business"], None, only="it"),
    Row("· both halves, records only", ["business"], None, kinds=("records",)),
    Row("SROIE receipts", ["sroie_receipts"], 0.85),
    Row("WildReceipt (scalars)", ["wildreceipt"], 0.78, kinds=("scalar", "list")),
    Row("WildReceipt (records)", ["wildreceipt"], None, kinds=("records",)),
    Row("Kleister-NDA", ["kleister_nda"], 0.65),
    Row("CMU seminars", ["cmu_seminars"], 0.75),
    Row("ad-buy invoices", ["adbuy_forms"], 0.65),
    Row("E2E restaurants", ["e2e_restaurants"], 0.70),
    Row("CrossNER, mean of five, zero-shot", CROSSNER, 0.60, mean=True),
    *[Row("· " + n.replace("crossner_", "CrossNER "), [n]) for n in CROSSNER],
    Row("MIT restaurant, zero-shot", ["mit_restaurant"], 0.50),
    Row("MIT movie, zero-shot", ["mit_movie"], 0.55),
    Row("CUAD contract openings (in-domain)", ["cuad_contracts"], 0.85),
    Row("MUC-4 (in-domain)", ["muc4_events"], 0.55),
    Row("PHEE (in-domain)", ["phee_drug_safety"], 0.80),
    Row("KnowledgeNet (in-domain)", ["knowledgenet_bios"], 0.85),
]

QUICKSTART = [
    {"id": "quickstart-1", "text": "Invoice #2847\nDate: 2026-01-15\nTotal: €1,249.00",
     "template": {"invoice_number": None, "date": None, "total_amount": None},
     "gold": {"invoice_number": "2847", "date": "2026-01-15", "total_amount": "€1,249.00"}},
    {"id": "quickstart-2", "text": "BREAKING — Nvidia soars 12% to ~$187 after crushing Q4 earnings. Revenue hit $22.1B vs "
                                   "$20.4B expected.",
     "template": {"company": None, "stock_move_pct": None, "revenue": None},
     "gold": {"company": "Nvidia", "stock_move_pct": "12%", "revenue": "$22.1B"}},
]


def lines(path):
    opened = gzip.open(path, "rt", encoding="utf-8") if str(path).endswith(".gz") else open(path, encoding="utf-8")
    with opened as f:
        return [json.loads(line) for line in f]


def load(name, measure):
    """The rows of a set: dicts with id, text, template, gold, maybe alts, lang, split."""
    if name == "quickstart":
        return QUICKSTART
    if name == "business":
        return lines(HERE / "business.jsonl")
    path = Path(measure) / f"{name}.jsonl.gz"
    if not path.exists():
        raise SystemExit(f"{path} is missing. Say where the measuring sets are with --measure, or name others with --sets.")
    return lines(path)


def names():
    return list(dict.fromkeys(n for row in ROWS for n in row.sets))


def belongs(row, document):
    """Whether a document is part of a table row."""
    lang, split = document.get("lang", "en"), document.get("split")
    return {"": True, "fit": split == "fit", "report": split == "report", "foreign": lang != "en",
            "report-en": split == "report" and lang == "en"}.get(row.only, lang == row.only)
