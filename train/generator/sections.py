"""Documents whose parts repeat the same labels: "Bill to / Ship to", patient and doctor, landlord and tenant.

    sections(writer)      writes one such document through a dumps._Writer: its answers are grouped slots ("seller.name")

What one part leaves out and the other has (a buyer's phone, no seller's) is the hard kind of absent field.
"""
import re

from .keys import GROUPS
from .render import Answer
from .sheets import Slot, Type

# Canonical groups that occur together, and what each is: a company, a person, or a place.
SETS = [("seller company", "buyer company"), ("seller company", "buyer person"), ("shipper company", "consignee company"), ("landlord person", "tenant person"),
        ("employer company", "employee person"), ("patient person", "doctor person"), ("lender company", "borrower person"), ("insurer company", "insured person"),
        ("guest person", "hotel company"), ("student person", "school university"), ("owner person", "agent person"), ("payer person", "payee company"),
        ("sender company", "recipient company", "driver person"), ("seller company", "buyer company", "delivery person"), ("patient person", "doctor person", "insurer company"),
        ("origin company", "destination company"), ("applicant person", "employer company"), ("borrower person", "lender company", "agent person"),
        ("vehicle product", "owner person"), ("member person", "bank company")]

HEADINGS = {
    "en": {"seller": "Seller|From|Vendor|Sold by|Supplier|Issued by", "buyer": "Buyer|Bill to|Customer|Sold to|Client|Billed to|Invoice to", "shipper": "Shipper|Consignor|Ship from|Exporter",
           "consignee": "Consignee|Ship to|Receiver|Importer", "landlord": "Landlord|Lessor|Owner of the premises", "tenant": "Tenant|Lessee|Renter", "employer": "Employer|Company",
           "employee": "Employee|Worker|Staff member", "patient": "Patient|Patient details", "doctor": "Physician|Doctor|Treating physician|Provider", "lender": "Lender|Creditor",
           "borrower": "Borrower|Debtor", "insurer": "Insurer|Insurance company", "insured": "Insured|Policyholder|Policy holder", "guest": "Guest|Guest details", "hotel": "Hotel|Property|Accommodation",
           "student": "Student|Learner", "school": "School|Institution", "owner": "Owner|Holder", "agent": "Agent|Representative|Broker", "payer": "Payer|Paid by", "payee": "Payee|Beneficiary|Paid to",
           "sender": "Sender|From", "recipient": "Recipient|Addressee|To", "driver": "Driver|Carrier's driver", "delivery": "Delivery|Ship to|Deliver to|Delivery address", "origin": "Origin|Pick-up|Collect from",
           "destination": "Destination|Drop-off|Deliver to", "applicant": "Applicant|Candidate", "vehicle": "Vehicle|Car", "member": "Member|Account holder", "bank": "Bank|Bank details"},
    "de": {"seller": "Verkäufer|Lieferant|Rechnungssteller", "buyer": "Käufer|Kunde|Rechnungsempfänger|Auftraggeber", "shipper": "Absender|Versender", "consignee": "Empfänger|Warenempfänger", "landlord": "Vermieter",
           "tenant": "Mieter", "employer": "Arbeitgeber", "employee": "Arbeitnehmer|Mitarbeiter", "patient": "Patient", "doctor": "Arzt|Behandelnder Arzt", "lender": "Darlehensgeber", "borrower": "Darlehensnehmer",
           "insurer": "Versicherer|Versicherung", "insured": "Versicherungsnehmer", "guest": "Gast", "hotel": "Hotel|Unterkunft", "student": "Schüler|Student", "school": "Schule|Hochschule", "owner": "Eigentümer|Halter",
           "agent": "Vertreter|Makler", "payer": "Zahlungspflichtiger", "payee": "Zahlungsempfänger", "sender": "Absender", "recipient": "Empfänger", "driver": "Fahrer", "delivery": "Lieferung an|Lieferanschrift",
           "origin": "Abholung|Abholort", "destination": "Ziel|Zustellung", "applicant": "Bewerber|Antragsteller", "vehicle": "Fahrzeug", "member": "Mitglied|Kontoinhaber", "bank": "Bank|Bankverbindung"},
    "fr": {"seller": "Vendeur|Fournisseur|Émetteur", "buyer": "Client|Acheteur|Facturé à", "shipper": "Expéditeur", "consignee": "Destinataire", "landlord": "Bailleur|Propriétaire", "tenant": "Locataire",
           "employer": "Employeur", "employee": "Salarié", "patient": "Patient", "doctor": "Médecin|Praticien", "lender": "Prêteur", "borrower": "Emprunteur", "insurer": "Assureur", "insured": "Assuré", "guest": "Voyageur|Client",
           "hotel": "Hôtel|Établissement", "student": "Élève|Étudiant", "school": "École|Établissement", "owner": "Propriétaire|Titulaire", "agent": "Agent|Mandataire", "payer": "Payeur", "payee": "Bénéficiaire",
           "sender": "Expéditeur", "recipient": "Destinataire", "driver": "Conducteur|Chauffeur", "delivery": "Livraison|Livré à", "origin": "Enlèvement|Départ", "destination": "Destination|Arrivée",
           "applicant": "Candidat|Demandeur", "vehicle": "Véhicule", "member": "Adhérent|Titulaire", "bank": "Banque"},
    "es": {"seller": "Vendedor|Proveedor|Emisor", "buyer": "Comprador|Cliente|Facturar a", "shipper": "Remitente|Expedidor", "consignee": "Destinatario|Consignatario", "landlord": "Arrendador", "tenant": "Arrendatario|Inquilino",
           "employer": "Empresa|Empleador", "employee": "Trabajador|Empleado", "patient": "Paciente", "doctor": "Médico|Facultativo", "lender": "Prestamista", "borrower": "Prestatario", "insurer": "Aseguradora",
           "insured": "Asegurado|Tomador", "guest": "Huésped|Cliente", "hotel": "Hotel|Alojamiento", "student": "Alumno|Estudiante", "school": "Centro|Escuela", "owner": "Propietario|Titular", "agent": "Agente|Representante",
           "payer": "Ordenante|Pagador", "payee": "Beneficiario", "sender": "Remitente", "recipient": "Destinatario", "driver": "Conductor", "delivery": "Entrega|Enviar a", "origin": "Origen|Recogida",
           "destination": "Destino|Entrega", "applicant": "Solicitante|Candidato", "vehicle": "Vehículo", "member": "Socio|Titular", "bank": "Banco|Entidad"},
    "it": {"seller": "Venditore|Fornitore|Cedente", "buyer": "Acquirente|Cliente|Cessionario", "shipper": "Mittente|Speditore", "consignee": "Destinatario", "landlord": "Locatore", "tenant": "Conduttore|Inquilino",
           "employer": "Datore di lavoro", "employee": "Lavoratore|Dipendente", "patient": "Paziente", "doctor": "Medico", "lender": "Mutuante", "borrower": "Mutuatario", "insurer": "Compagnia|Assicuratore",
           "insured": "Assicurato|Contraente", "guest": "Ospite|Cliente", "hotel": "Hotel|Struttura", "student": "Studente|Alunno", "school": "Scuola|Istituto", "owner": "Proprietario|Titolare", "agent": "Agente|Mediatore",
           "payer": "Ordinante|Pagatore", "payee": "Beneficiario", "sender": "Mittente", "recipient": "Destinatario", "driver": "Conducente|Autista", "delivery": "Consegna|Destinazione merce", "origin": "Ritiro|Partenza",
           "destination": "Arrivo|Destinazione", "applicant": "Richiedente|Candidato", "vehicle": "Veicolo", "member": "Socio|Intestatario", "bank": "Banca"},
}

# leaf: (type, key names, labels by language)
LEAVES = {
    "name": (None, "name", {"en": "Name|Full name", "de": "Name", "fr": "Nom", "es": "Nombre", "it": "Nome|Nominativo"}),
    "address": (Type("address"), "address|postal_address|full_address", {"en": "Address|Postal address", "de": "Anschrift|Adresse", "fr": "Adresse", "es": "Dirección|Domicilio", "it": "Indirizzo"}),
    "street": (Type("street"), "street|street_address|address_line", {"en": "Street|Address line 1", "de": "Straße", "fr": "Rue", "es": "Calle", "it": "Via"}),
    "city": (Type("city"), "city|town", {"en": "City|Town", "de": "Ort|Stadt", "fr": "Ville", "es": "Ciudad|Localidad", "it": "Città|Comune"}),
    "postcode": (Type("postcode"), "postcode|zip|postal_code|zip_code", {"en": "Postcode|ZIP|Postal code", "de": "PLZ|Postleitzahl", "fr": "Code postal|CP", "es": "Código postal|C.P.", "it": "CAP"}),
    "country": (Type("country"), "country", {"en": "Country", "de": "Land", "fr": "Pays", "es": "País", "it": "Paese|Nazione"}),
    "phone": (Type("phone"), "phone|phone_number|telephone|tel", {"en": "Phone|Tel.|Telephone|Phone no.", "de": "Telefon|Tel.", "fr": "Téléphone|Tél.", "es": "Teléfono|Tel.", "it": "Telefono|Tel."}),
    "email": (Type("email"), "email|email_address|mail", {"en": "E-mail|Email", "de": "E-Mail", "fr": "Courriel|E-mail", "es": "Correo|E-mail", "it": "E-mail|Posta elettronica"}),
    "web": (Type("url"), "website|url|homepage", {"en": "Website|Web", "de": "Webseite|Internet", "fr": "Site web", "es": "Web", "it": "Sito web"}),
    "contact": (Type("person"), "contact|contact_person|contact_name", {"en": "Contact|Contact person|Attn.", "de": "Ansprechpartner|z. Hd.", "fr": "Contact|À l'attention de", "es": "Contacto|A la atención de", "it": "Referente|Alla c.a."}),
    "taxid": (Type("vatid"), "tax_id|vat_id|vat_number", {"en": "VAT No.|Tax ID|VAT ID", "de": "USt-IdNr.|Steuernummer", "fr": "N° TVA", "es": "NIF|CIF", "it": "P. IVA|Partita IVA"}),
    "iban": (Type("iban"), "iban|bank_account|account", {"en": "IBAN|Account", "de": "IBAN|Konto", "fr": "IBAN", "es": "IBAN|Cuenta", "it": "IBAN"}),
    "id": (Type("ident"), "id|number|reference|identifier", {"en": "ID|No.|Reference|Number", "de": "Nr.|Nummer", "fr": "N°|Référence", "es": "N.º|Referencia", "it": "N.|Codice"}),
    "born": (Type("date"), "date_of_birth|dob|birth_date", {"en": "Date of birth|DOB|Born", "de": "Geburtsdatum|geb.", "fr": "Date de naissance|Né(e) le", "es": "Fecha de nacimiento", "it": "Data di nascita"}),
    "date": (Type("date"), "date|day", {"en": "Date", "de": "Datum", "fr": "Date", "es": "Fecha", "it": "Data"}),
    "time": (Type("time"), "time", {"en": "Time", "de": "Uhrzeit", "fr": "Heure", "es": "Hora", "it": "Ora"}),
    "job": (Type("job"), "job_title|position|title|role", {"en": "Position|Title|Job title", "de": "Position|Funktion", "fr": "Fonction|Poste", "es": "Cargo|Puesto", "it": "Qualifica|Ruolo"}),
}
COMMON = ["address", "phone", "email", "city", "country", "id"]
MORE = {"company": ["taxid", "contact", "web", "iban", "street", "postcode"], "person": ["born", "job", "street", "postcode", "iban"],
        "university": ["web", "contact"], "product": ["date", "id"]}

UNFIT = {"company": {"born", "job"}, "university": {"born", "job", "iban"}, "product": {"born", "job", "email", "phone", "address", "taxid", "iban", "contact"}}


class Part:
    """One section: its group, heading, and the leaves it writes: [(leaf, label, Answer), ...]."""

    def __init__(self, group, nature, heading):
        self.group, self.nature, self.heading, self.leaves = group, nature, heading, []


def sections(writer):
    rng = writer.rng
    parts = _parts(writer)
    layout = rng.choices(LAYOUTS, [28, 12, 10, 8, 8, 12, 8, 6])[0]
    if rng.random() < 0.3:
        writer.put(writer.title() + "\n\n")
    layout(writer, parts)


def _parts(writer):
    rng = writer.rng
    writer.kind = "contact sections"
    chosen, natures = rng.choice(SETS), {}
    for row in chosen:
        group, nature = row.split()
        natures[group] = nature
    groups = list(natures)
    if rng.random() < 0.3:
        rng.shuffle(groups)
    pool = COMMON + [leaf for nature in dict.fromkeys(natures.values()) for leaf in MORE[nature]]
    wanted = ["name"] + rng.sample(list(dict.fromkeys(pool)), rng.randint(1, 6))
    names = {leaf: rng.choice(LEAVES[leaf][2][writer.lang].split("|")) for leaf in LEAVES}
    parts = []
    for group in groups:
        part = Part(group, natures[group], rng.choice(HEADINGS[writer.lang][group].split("|")))
        others = {name for other in groups if other != group for name in GROUPS.get(other, [other])}
        aliases = [name for name in dict.fromkeys([group, *GROUPS.get(group, [])]) if name not in others] or [group]
        for leaf in wanted:
            if leaf in UNFIT.get(natures[group], ()):
                continue
            answer = _declare(writer, group, aliases, leaf, natures[group])
            if rng.random() < 0.82 or leaf == "name":
                part.leaves.append((leaf, names[leaf], answer))
        parts.append(part)
    return parts


def _declare(writer, group, aliases, leaf, nature):
    kind, keys, _ = LEAVES[leaf]
    if leaf == "name":
        kind = Type(nature)
    keys = keys.split("|")
    flat = [f"{alias}_{key}" for alias in aliases for key in keys] + ([*aliases] if leaf == "name" else [])
    slot = Slot(f"{group}.{leaf}", kind, flat + [f"{group}.{key}" for key in keys])
    writer.slots[slot.name] = slot
    return writer.answers.setdefault(slot.name, Answer(slot))


def _value(writer, answer, plain=None):
    slot = answer.slot
    text = writer.value(slot.type, plain, slot.era)
    answer.spans.append(writer.put_span(text))


# ---- layouts ------------------------------------------------------------------------------------------


def headed(writer, parts):
    """A heading, then 'Label: value' lines."""
    rng = writer.rng
    shape = rng.choice(["{}\n", "{}:\n", "== {} ==\n", "## {}\n", "[{}]\n", "{}\n----------\n", "*** {} ***\n", "1. {}\n"])
    colon, indent, gap = rng.choice([": ", ": ", " : ", "\t", " = ", ":\n"]), rng.choice(["", "", "  "]), rng.choice(["\n", "\n", ""])
    upper = rng.random() < 0.3
    for part in parts:
        writer.put(shape.format(part.heading.upper() if upper else part.heading))
        for _, label, answer in part.leaves:
            writer.put(indent + label + colon)
            _value(writer, answer)
            writer.put("\n")
        writer.put(gap)


PLAIN_LEAVES = {"name", "address", "street", "city", "country", "phone", "email", "web", "postcode"}


def bare(writer, parts):
    """A heading, then values without labels, as in a letterhead."""
    shape = writer.rng.choice(["{}\n", "{}:\n", "{}: "])
    for part in parts:
        writer.put(shape.format(part.heading))
        for leaf, label, answer in part.leaves:
            if leaf not in PLAIN_LEAVES:
                writer.put(label + " ")
            _value(writer, answer)
            writer.put("\n")
        writer.put("\n")


def side_by_side(writer, parts):
    """The first two parts as two columns, line by line."""
    rng, width = writer.rng, writer.rng.randint(36, 56)
    left, right = parts[0], parts[1]
    labelled = rng.random() < 0.5
    writer.put(left.heading.ljust(width) + right.heading + "\n")
    for i in range(max(len(left.leaves), len(right.leaves))):
        start = writer.length
        for part in (left, right):
            if part is right:
                writer.put(" " * max(2, width - (writer.length - start)))
            if i < len(part.leaves):
                leaf, label, answer = part.leaves[i]
                if labelled or leaf not in PLAIN_LEAVES:
                    writer.put(label + ": ")
                _value(writer, answer)
        writer.put("\n")
    if len(parts) > 2:
        writer.put("\n")
        headed(writer, parts[2:])


def matrix(writer, parts):
    """Rows of labels, one column a part."""
    rng = writer.rng
    joint, before, after = rng.choice([(" | ", "| ", " |\n"), ("\t", "", "\n"), (";", "", "\n"), ("    ", "", "\n"), (",", "", "\n")])
    plain = r"[|;,\t]"
    writer.put(before + joint.join([rng.choice(["", "Field", " "])] + [part.heading for part in parts]) + after)
    order = list(dict.fromkeys((leaf, label) for part in parts for leaf, label, _ in part.leaves))
    for leaf, label in order:
        writer.put(before + label)
        for part in parts:
            writer.put(joint)
            answer = next((answer for name, _, answer in part.leaves if name == leaf), None)
            if answer:
                _value(writer, answer, plain)
            else:
                writer.put("-" if joint == "    " or rng.random() < 0.3 else "")
        writer.put(after)


def run_on(writer, parts):
    """'Seller: A, phone b; Buyer: ...'"""
    rng = writer.rng
    gap, joint = rng.choice(["; ", ". ", "\n", " / "]), rng.choice([", ", ", ", " - "])
    for n, part in enumerate(parts):
        writer.put((gap if n else "") + part.heading + rng.choice([": ", ": ", " ", " is "] if writer.lang == "en" else [": "]))
        for i, (leaf, label, answer) in enumerate(part.leaves):
            writer.put((joint if i else "") + ("" if leaf in PLAIN_LEAVES else label.lower() + " "))
            _value(writer, answer, r"[;]")


def prefixed(writer, parts):
    """'Seller name: ...' lines, the parts in turn or mixed."""
    rng = writer.rng
    rows = [(part, leaf) for part in parts for leaf in part.leaves]
    if rng.random() < 0.4:
        rng.shuffle(rows)
    shape = rng.choice(["{h} {l}: ", "{h} {l}: ", "{h} - {l}: ", "{l} ({h}): ", "{h}/{l} = ", "{l} {h}: ", "{h}{l}: ", "{h}_{l}="])
    for part, (_, label, answer) in rows:
        writer.put(shape.format(h=part.heading, l=label.lower() if "{h} {l}" in shape else label))
        _value(writer, answer)
        writer.put("\n")


def nested_json(writer, parts):
    rng = writer.rng
    camel = rng.random() < 0.5
    pretty = rng.random() < 0.7
    new, step = ("\n", "  ") if pretty else ("", "")
    writer.put("{" + new)
    for n, part in enumerate(parts):
        writer.put(f'{step}"{_tag(part.heading, camel)}": {{{new}')
        for i, (_, label, answer) in enumerate(part.leaves):
            writer.put(f'{step}{step}"{_tag(label, camel)}": "')
            _value(writer, answer, r'["\\\n]')
            writer.put('"' + ("," if i < len(part.leaves) - 1 else "") + new)
        writer.put(step + "}" + ("," if n < len(parts) - 1 else "") + new)
    writer.put("}")


def nested_yaml(writer, parts):
    camel = writer.rng.random() < 0.4
    xml = writer.rng.random() < 0.4
    for part in parts:
        head = _tag(part.heading, camel)
        writer.put(f"<{head}>\n" if xml else f"{head}:\n")
        for _, label, answer in part.leaves:
            tag = _tag(label, camel)
            writer.put(f"  <{tag}>" if xml else f"  {tag}: ")
            _value(writer, answer, r"""["'\\<>&]""")
            writer.put(f"</{tag}>\n" if xml else "\n")
        writer.put(f"</{head}>\n" if xml else "")


def _tag(label, camel):
    parts = re.findall(r"\w+", label) or ["x"]
    if camel:
        return parts[0].lower() + "".join(part.capitalize() for part in parts[1:])
    return "_".join(parts).lower()


LAYOUTS = [headed, bare, side_by_side, matrix, run_on, prefixed, nested_json, nested_yaml]
