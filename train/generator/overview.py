"""Lists of everything of one kind in a text: all dates, all people, all e-mail addresses.

    field = overview(rng, document)  -> (key, description, spans) or None

Only asked where the text is known to hold nothing of the kind but the values that rendering wrote, distractors included.
"""
import re

from .customs import MONTHS, SHORT_MONTHS

# type: (keys, what it is called in a description, types that blur the border, what must not stand outside the values)
KINDS = {
    "date": (["dates", "all_dates", "dates_mentioned", "mentioned_dates"], "all dates", {"datetime", "month", "year", "weekday"},
             re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d|\b(19|20)\d\d\b|\b(today|yesterday|tomorrow|heute|gestern|morgen|hier|demain|ayer|mañana|ieri|domani)\b", re.I)),
    "email": (["emails", "email_addresses", "all_emails", "mail_addresses"], "all e-mail addresses", set(), re.compile("@")),
    "url": (["urls", "links", "websites", "web_addresses"], "all web addresses", {"hostname", "path"}, re.compile(r"www\.|https?:|\.(com|org|net|io|de|fr|es|it)\b")),
    "phone": (["phones", "phone_numbers", "telephone_numbers", "all_phone_numbers"], "all phone numbers", set(), re.compile(r"\d[\d ()./-]{5,}\d")),
    "money": (["amounts", "all_amounts", "money_amounts", "prices_and_amounts", "sums_of_money"], "all amounts of money", {"bigmoney", "decimal"},
              re.compile(r"[$€£₹¥]|\d[.,]\d\d\b")),
    "percent": (["percentages", "all_percentages", "percent_values"], "all percentages", set(), re.compile("%|percent|Prozent|pour cent|por ciento|per cento")),
    "person": (["people", "persons", "person_names", "people_mentioned", "names_of_people", "all_persons"], "all people mentioned", {"first_name", "last_name", "username", "oneof"}, None),
    "iban": (["ibans", "all_ibans", "iban_numbers"], "all IBANs", set(), re.compile(r"[A-Z]{2}\d\d[ ]?\w{4}")),
}
# Types whose values are written in a sheet, so that anything may stand in them ("30% deposit").
WORDED = {"oneof", "choice", "phrase", "sentence"}


def overview(rng, document):
    """A list over one kind of value, or None where none can be asked for sure."""
    kind = rng.choice(list(KINDS))
    keys, name, blurring, outside = KINDS[kind]
    spans = [list(span) for type_name, span in document.found if type_name == kind]
    if not spans and (rng.random() < 0.85 or outside is None):
        return None
    if kind in document.blurred or blurring & document.types or not document.found:
        return None
    if outside is not None and outside.search(_rest(document, kind)):
        return None
    if kind == "date" and _months(document.lang).search(_rest(document, kind)):
        return None
    description = f"{name}{rng.choice(['', ' in the text', ' mentioned', ' in the document'])}" if rng.random() < 0.3 else None
    return rng.choice(keys), description, spans


def _rest(document, kind):
    """The text without the values of `kind`, and without those that may look like one but are known to be other things."""
    spans = sorted(tuple(span) for type_name, span in document.found if type_name == kind or type_name not in WORDED)
    out, at = [], 0
    for start, end in spans:
        out.append(document.text[at:start])
        at = max(at, end)
    return " \n ".join([*out, document.text[at:]])


def _months(lang):
    names = [name for name in MONTHS[lang] + [short.rstrip(".") for short in SHORT_MONTHS[lang]] if name.lower() not in ("may", "mars", "mar", "set")]
    return re.compile(rf"\d[. ]*({'|'.join(names)})\b|\b({'|'.join(names)})\.? \d", re.I)
