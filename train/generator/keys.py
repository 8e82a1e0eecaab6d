"""Key names: how one template spells the fields it asks for.

    namer = Namer(rng, "invoice")        one style for one template
    namer.spell("invoice_number")        -> "invoiceNumber" | "Invoice No" | "invoice-nr" ...
    namer.nested(slot)                   -> ["vendor", "name"]
    words("invoiceNo")                   -> ("invoice", "no")
    identity(path)                       -> what the model sees of a path: the words of its last two parts
"""
import re
from functools import lru_cache

ABBREVIATIONS = {
    "number": ["no", "num", "nr", "no"], "amount": ["amt"], "quantity": ["qty"], "address": ["addr"], "date": ["dt"],
    "telephone": ["tel"], "phone": ["tel", "ph"], "description": ["desc", "descr"], "reference": ["ref"], "account": ["acct", "acc"],
    "department": ["dept"], "percent": ["pct", "perc"], "percentage": ["pct"], "customer": ["cust"], "company": ["co"],
    "identifier": ["id"], "document": ["doc"], "maximum": ["max"], "minimum": ["min"], "average": ["avg"], "temperature": ["temp"],
    "manager": ["mgr"], "organization": ["org"], "organisation": ["org"], "information": ["info"], "message": ["msg"], "payment": ["pmt", "pymt"],
    "transaction": ["txn", "trx"], "invoice": ["inv"], "order": ["ord"], "purchase": ["purch"], "position": ["pos"], "position_title": ["pos"],
    "category": ["cat"], "currency": ["curr", "cur"], "language": ["lang"], "country": ["ctry"], "signature": ["sig"], "appointment": ["appt"],
    "application": ["app"], "certificate": ["cert"], "registration": ["reg"], "birth": ["b"], "contact": ["cont"], "previous": ["prev"],
    "current": ["curr"], "delivery": ["dlv"], "shipment": ["shpmt"], "package": ["pkg"], "weight": ["wt"], "height": ["ht"], "length": ["len"],
    "volume": ["vol"], "version": ["ver"], "serial": ["ser"], "product": ["prod"], "manufacturer": ["mfr"], "employee": ["emp"], "estimated": ["est"],
    "actual": ["act"], "total": ["tot"], "balance": ["bal"], "diagnosis": ["dx"], "prescription": ["rx"], "patient": ["pt"], "appendix": ["app"],
    "street": ["st"], "postcode": ["pc"], "building": ["bldg"], "apartment": ["apt"], "first": ["1st"], "second": ["2nd"], "seconds": ["secs"],
    "minutes": ["mins"], "hours": ["hrs"], "years": ["yrs"], "months": ["mths"], "management": ["mgmt"], "error": ["err"], "environment": ["env"],
    "configuration": ["config"], "authorization": ["auth"], "attention": ["attn"], "destination": ["dest"], "departure": ["dep"], "arrival": ["arr"],
    "statement": ["stmt"], "received": ["rcvd"], "required": ["reqd"], "specification": ["spec"], "university": ["uni"], "vehicle": ["veh"],
}

# Words that may stand for one another in a key; used sparingly, and never where the new name belongs to another field.
SYNONYMS = {
    "phone": ["telephone", "tel"], "telephone": ["phone"], "email": ["mail", "e_mail"], "amount": ["sum", "value"], "company": ["firm", "organization", "business"],
    "customer": ["client"], "client": ["customer"], "vendor": ["supplier", "seller"], "supplier": ["vendor"], "buyer": ["purchaser"], "start": ["begin", "starting"],
    "end": ["finish", "ending"], "price": ["cost"], "cost": ["price"], "city": ["town"], "employee": ["worker", "staff_member"], "salary": ["pay", "wage"],
    "product": ["item", "article"], "item": ["product", "article"], "website": ["url", "homepage", "web_site"], "doctor": ["physician"], "physician": ["doctor"],
    "medication": ["drug", "medicine"], "medicine": ["medication", "drug"], "invoice": ["bill"], "tenant": ["renter", "lessee"], "landlord": ["lessor"], "car": ["vehicle", "auto"],
    "vehicle": ["car"], "delivery": ["shipping"], "shipping": ["delivery"], "shipment": ["delivery", "consignment"], "organiser": ["host"], "organizer": ["host"], "attendees": ["participants", "guests"],
    "participants": ["attendees"], "employer": ["company_name"], "expiry": ["expiration"], "expiration": ["expiry"], "identifier": ["id"], "id": ["identifier", "number"], "number": ["no", "id"],
    "quantity": ["qty", "count"], "comments": ["remarks", "notes"], "remarks": ["comments"], "notes": ["remarks", "comments"], "rating": ["score", "stars"], "teacher": ["instructor"],
    "course": ["class"], "flat": ["apartment"], "apartment": ["flat"], "contact": ["contact_person"], "manager": ["supervisor", "boss"], "birth": ["birthday"], "place": ["location"],
    "location": ["place", "site"], "duration": ["length", "period"], "reason": ["cause"], "fee": ["charge"], "fees": ["charges"], "charge": ["fee"], "discount": ["rebate"], "holder": ["owner"],
    "author": ["writer"], "sender": ["from"], "recipient": ["addressee", "receiver"], "gender": ["sex"], "country": ["nation"], "currency": ["currency_code"], "deadline": ["due_date"], "total": ["overall", "grand_total"],
}

# Other names for a group of fields, for nested templates. A name may stand in several lists; the clash guard sorts it out.
GROUPS = {
    "seller": ["vendor", "supplier", "seller", "issuer", "merchant", "from"], "vendor": ["vendor", "supplier", "seller"],
    "supplier": ["supplier", "vendor", "seller"], "buyer": ["customer", "client", "buyer", "bill_to", "purchaser", "to"],
    "customer": ["customer", "client", "buyer"], "client": ["client", "customer"], "patient": ["patient", "patient_info", "patient_details"],
    "person": ["person", "individual", "contact"], "employee": ["employee", "worker", "staff_member", "employee_info"],
    "employer": ["employer", "company", "employer_info"], "candidate": ["candidate", "applicant", "candidate_info", "profile"],
    "applicant": ["applicant", "candidate"], "shipper": ["shipper", "consignor", "sender", "ship_from"],
    "consignee": ["consignee", "receiver", "ship_to", "recipient"], "sender": ["sender", "from", "shipper"],
    "recipient": ["recipient", "to", "receiver", "addressee"], "receiver": ["receiver", "recipient", "addressee"],
    "landlord": ["landlord", "lessor", "owner"], "tenant": ["tenant", "lessee", "renter"], "doctor": ["doctor", "physician", "provider"],
    "physician": ["physician", "doctor", "clinician"], "hospital": ["hospital", "facility", "clinic"], "company": ["company", "organization", "firm", "business"],
    "bank": ["bank", "bank_details", "payment_details"], "contact": ["contact", "contact_details", "contact_info"],
    "vehicle": ["vehicle", "car", "vehicle_details"], "policy": ["policy", "policy_details"], "insurer": ["insurer", "insurance_company", "insurance"],
    "insured": ["insured", "policyholder", "policy_holder"], "guest": ["guest", "guest_details", "visitor"], "passenger": ["passenger", "traveller", "traveler"],
    "hotel": ["hotel", "property", "accommodation"], "property": ["property", "premises", "real_estate"], "lender": ["lender", "creditor"],
    "borrower": ["borrower", "debtor"], "student": ["student", "pupil", "learner"], "school": ["school", "institution"], "event": ["event", "event_details"],
    "order": ["order", "order_details"], "author": ["author", "writer"], "device": ["device", "equipment", "asset"], "server": ["server", "host", "machine"],
    "agent": ["agent", "representative"], "provider": ["provider", "service_provider"], "account": ["account", "account_details"],
    "delivery": ["delivery", "shipping", "delivery_details"], "billing": ["billing", "billing_details"], "shipping": ["shipping", "delivery"],
    "total": ["totals", "amounts", "summary"], "totals": ["totals", "summary", "amounts"], "member": ["member", "membership"], "owner": ["owner", "holder"],
    "manager": ["manager", "supervisor"], "party": ["party"], "payer": ["payer", "payor"], "payee": ["payee", "beneficiary"], "driver": ["driver", "operator"],
    "origin": ["origin", "pickup", "from"], "destination": ["destination", "dropoff", "to"], "meeting": ["meeting", "meeting_info"],
    "site": ["site", "location"], "project": ["project", "project_details"], "sample": ["sample", "specimen"], "flight": ["flight", "flight_details"],
    "job": ["job", "position", "vacancy"], "product": ["product", "item", "article"], "invoice": ["invoice", "bill"], "payment": ["payment", "payment_details"],
}

LEAVES = {
    "name": ["name", "name", "name", "full_name"], "mail": ["email", "email_address", "e_mail", "mail"], "email": ["email", "email_address", "mail"],
    "phone": ["phone", "phone_number", "telephone", "tel"], "tel": ["phone", "phone_number", "telephone"], "address": ["address", "full_address", "postal_address"],
    "taxid": ["tax_id", "vat_id", "tax_number"], "vat": ["vat_id", "tax_id", "vat_number"], "vatid": ["vat_id", "tax_id"], "city": ["city", "town"], "street": ["street", "street_address"],
    "postcode": ["postcode", "zip", "postal_code", "zip_code"], "zip": ["zip", "postcode", "postal_code"], "dob": ["date_of_birth", "dob", "birth_date"],
    "birth": ["date_of_birth", "dob", "birth_date"], "born": ["date_of_birth", "dob", "birth_date"], "id": ["id", "number", "identifier"],
    "url": ["website", "url"], "web": ["website", "url", "homepage"], "iban": ["iban"], "bic": ["bic", "swift"], "job": ["job_title", "position"],
    "title": ["title"], "role": ["role"], "country": ["country"], "fax": ["fax", "fax_number"], "age": ["age"], "contact": ["contact_person", "contact"],
}

PARENTS = ["data", "result", "document", "details", "extracted", "info", "fields", "record", "output", "response", "payload", "content"]
VAGUE = ["field_{n}", "value", "info", "x", "f{n}", "item_{n}", "data", "answer", "field{n}", "val", "entry", "key_{n}", "attribute_{n}", "col{n}", "result", "output", "a{n}"]
SPLIT = re.compile(r"[\W_]+|(?<=[a-z0-9ß-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])")

STYLES = [("snake", 50), ("camel", 18), ("title", 8), ("lower", 8), ("pascal", 6), ("kebab", 4), ("upper", 3), ("sentence", 3)]

# Words so general that a key made of one of them alone claims any value of its type.
GENERIC = frozenset("""name date total amount number address phone email company value price status title type id code time city country
    description person quantity contact reference location state year organisation organization month day percent percentage rate
    duration url website mail tel telephone sum cost account no nr num ref when who where what place when_ subject text note notes comment
    product item items products people companies names dates amounts numbers from to by currency unit note weight size level result count
    sender recipient author
    nom nombre nome namen datum fecha data betrag importe importo montant summe numero nummer número numéro adresse dirección indirizzo direccion
    telefon telefono teléfono téléphone firma empresa azienda ort ville ciudad città prezzo precio prix preis stato estado statut artikel articulo
    descrizione descripcion fornitore cliente kunde client menge cantidad quantità uhrzeit hora ora heure zeit titel titre título titolo""".split())


@lru_cache(maxsize=100_000)
def words(key):
    """The lower-case words of a key in any style."""
    return tuple(word.lower() for word in SPLIT.split(key) if word)


def identity(path):
    return " ".join(word for part in path[-2:] for word in words(part))


def is_generic(key):
    return all(word in GENERIC for word in words(key)) and len(words(key)) == 1


def capital(text):
    """`text` with a capital first; the rest as it is, unlike str.capitalize: nouns and codes keep theirs."""
    return text[:1].upper() + text[1:]


class Namer:
    """Spells keys in one style; `mixed` templates change style from key to key, as real ones sometimes do."""

    def __init__(self, rng, kind):
        self.rng, self.kind = rng, kind
        names, weights = zip(*STYLES)
        self.style = rng.choices(names, weights)[0]
        self.mixed = rng.random() < 0.05
        self.short = rng.random() < 0.18
        self.table = {}
        self.groups = {}

    def abbreviate(self, parts):
        out = []
        for word in parts:
            if word in ABBREVIATIONS and self.rng.random() < 0.6:
                word = self.table.setdefault(word, self.rng.choice(ABBREVIATIONS[word]))
            out.append(word)
        return out if len(out) > 1 or len(out[0]) > 2 else list(parts)

    def spell(self, key):
        """`key` (snake_case, or words) in this template's style."""
        parts = [word for word in re.split(r"[_\s\-.]+", key) if word]
        if self.short:
            parts = self.abbreviate(parts)
        style = self.style
        if self.mixed:
            style = self.rng.choice([name for name, _ in STYLES])
        return STYLE[style](parts)

    def group(self, group, taken):
        """One name for a group in this template; `taken` are names it must not use."""
        if group not in self.groups:
            last = group.rpartition(".")[2]
            names = [name for name in GROUPS.get(last, [last]) if name not in taken] or [last]
            self.groups[group] = last if last in names and self.rng.random() < 0.4 else self.rng.choice(names)
        return self.groups[group]

    def vague(self):
        return self.rng.choice(VAGUE).format(n=self.rng.randint(1, 30))


STYLE = {
    "snake": "_".join,
    "camel": lambda parts: parts[0] + "".join(map(capital, parts[1:])),
    "pascal": lambda parts: "".join(map(capital, parts)),
    "title": lambda parts: " ".join(map(capital, parts)),
    "sentence": lambda parts: " ".join([capital(parts[0]), *parts[1:]]),
    "lower": " ".join,
    "kebab": "-".join,
    "upper": lambda parts: "_".join(parts).upper(),
}
