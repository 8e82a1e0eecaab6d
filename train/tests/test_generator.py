"""The generator's promises: exact spans, one seed one stream, clear faults, absent fields that nothing in the text answers."""
import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from generator import Generator, SheetError          # noqa: E402
from generator import dumps, noise                   # noqa: E402
from generator.keys import GENERIC, identity, words  # noqa: E402
from generator.overview import overview              # noqa: E402
from generator.render import render                  # noqa: E402
from generator.select import ALIKE, _Chooser, choose           # noqa: E402
from generator.sheets import Sheet, load_sheets      # noqa: E402
from generator.source import DOCUMENTS               # noqa: E402
from generator.values import Values, table           # noqa: E402

SHEET = """\
kind: invoice
lang: en
fields:
  number      = ident(INV-####)       ; invoice_number, invoice_no ; the number printed on the invoice
  issued      = date                  ; invoice_date, date
  due         = date                  ; due_date, pay_by
  seller.name = company               ; vendor, seller_name
  seller.mail = email                 ; seller_email
  state       = choice(open|paid)     ; status
  express     = flag                  ; express_delivery ; whether delivery was express
  skills*     = skill                 ; skills
  items[]                             ; items, line_items
    name      = product               ; item, article
    price     = money                 ; unit_price, price
"""


FIRST = SHEET.count("\n") + 2       # line of a text's first line


def sheet(tmp_path, text, fields=SHEET):
    path = tmp_path / "one.doc"
    path.write_text(fields + "text:\n" + text, encoding="utf-8")
    return Sheet.load(path)


def draw(tmp_path, text, seed=0):
    one = sheet(tmp_path, text)
    rng = random.Random(seed)
    return render(one, one.texts[0], Values(seed).voice(rng, "en"), rng)


@pytest.mark.parametrize("lang, value, parts", [
    ("en", "Jenna Soto, MBA", {"Jenna", "Soto", "JS"}), ("en", "Miss Jenna Soto", {"Jenna", "Soto", "JS"}),
    ("es", "Don Hugo Ruiz", {"Hugo", "Ruiz", "HR"}), ("en", "Soto, Jenna", {"Soto", "Jenna", "SJ"})])
def test_the_short_form_of_a_person_is_a_name_and_no_title(lang, value, parts):
    voice = Values(1).voice(random.Random(1), lang)
    assert {voice.shorten("person", value) for _ in range(200)} == parts


@pytest.fixture(scope="module")
def examples():
    return list(itertools.islice(Generator(7), 2000))


def spans(field):
    return list(noise.spans_of([field]))


# ---- the stream of examples ---------------------------------------------------------------------


def test_spans_lie_in_the_text_and_hold_a_value(examples):
    for example in examples:
        for field in example["fields"]:
            for start, end in spans(field):
                assert 0 <= start < end <= len(example["text"])
                value = example["text"][start:end]
                assert value == value.strip(), (field["path"], value)


def test_spans_of_one_field_do_not_overlap(examples):
    for example in examples:
        for field in example["fields"]:
            ordered = sorted(map(tuple, spans(field)))
            assert all(a[1] <= b[0] for a, b in zip(ordered, ordered[1:])), field


def test_records_stand_in_document_order(examples):
    for example in examples:
        for field in example["fields"]:
            starts = [min(span[0] for span in record.values()) for record in field.get("records", ())]
            assert starts == sorted(starts)


def test_fields_have_the_documented_shape(examples):
    kinds = set()
    for example in examples:
        assert example["fields"] and example["text"].strip()
        for field in example["fields"]:
            kinds.add(field["kind"])
            assert all(isinstance(part, str) and part for part in field["path"])
            if field["kind"] in ("scalar", "list"):
                assert field["type"] in (None, "string", "number", "integer", "date")
            elif field["kind"] == "enum":
                assert len(set(field["options"])) == len(field["options"]) >= 2
                assert field["answer"] is None or 0 <= field["answer"] < len(field["options"])
            elif field["kind"] == "boolean":
                assert field["answer"] in (True, False, None)
            else:
                keys = [part["key"] for part in field["fields"]]
                assert len(set(keys)) == len(keys) >= 1
                assert all(set(record) <= set(keys) for record in field["records"])
    assert kinds == {"scalar", "list", "enum", "boolean", "records"}


def test_paths_make_one_template_without_lookalikes(examples):
    for example in examples:
        paths = [tuple(field["path"]) for field in example["fields"]]
        assert len({identity(path) for path in paths}) == len(paths)
        for a, b in itertools.permutations(paths, 2):
            assert a != b[:len(a)], (a, b)


def test_templates_differ_in_size_and_in_what_is_missing(examples):
    sizes = [len(example["fields"]) for example in examples]
    assert min(sizes) == 1 and max(sizes) >= 12
    asked = [field for example in examples for field in example["fields"] if field["kind"] == "scalar"]
    absent = sum(not field["spans"] for field in asked) / len(asked)
    assert 0.12 < absent < 0.5


def test_all_languages_and_long_texts_occur(examples):
    assert {example["lang"] for example in examples} == {"en", "de", "fr", "es", "it"}
    assert any(len(example["text"].split()) > 1500 for example in examples)


def test_values_run_over_lines_as_on_narrow_paper(examples):
    said = [example["text"][a:b] for example in examples for field in example["fields"] if field["kind"] == "scalar" for a, b in field["spans"][:1]]
    folded = [value for value in said if "\n" in value]
    assert 0.012 < len(folded) / len(said) < 0.06
    assert any(",\n" in value for value in folded) and any("\n    " in value for value in folded)


def test_narrow_paper_folds_under_the_value_and_loses_nothing():
    text = "Address:   12 Long Winding Street, Little Village, Far Away County"
    value = text.index("12")
    for seed in range(60):
        fields = [{"spans": [[value, len(text)]]}]
        changed = noise.wrap(random.Random(seed), text, fields)
        start, end = fields[0]["spans"][0]
        assert changed[start:end].split() == text[value:].split()
        lines = changed.split("\n")
        if len(lines) > 1 and lines[1].startswith(" "):
            assert {len(line) - len(line.lstrip()) for line in lines[1:]} == {value}
            break
    else:
        raise AssertionError("no paper hung its lines under the value")


def test_an_address_behind_a_label_goes_on_under_either_and_its_span_holds_all(tmp_path):
    fields = SHEET.replace("  state ", "  office      = address               ; office_address\n  state ")
    one = sheet(tmp_path, "Order {number}\nOffice: {office}\nStatus: {state}\n", fields)
    after = set()
    for seed in range(60):
        rng = random.Random(seed)
        document = render(one, one.texts[0], Values(seed).voice(rng, "en"), rng)
        (start, end), = document.answers["office"].spans
        assert document.text[:start].endswith("Office: ") and document.text[end:].startswith("\nStatus: ")
        after |= {len(line) - len(line.lstrip()) for line in document.text[start:end].split("\n")[1:]}
    assert after == {0, len("Office: ")}


def test_same_seed_same_stream_other_seed_another():
    first, second, other = Generator(3), Generator(3), Generator(4)
    stream = [first.example() for _ in range(60)]
    assert stream == [second.example() for _ in range(60)]
    assert stream != [other.example() for _ in range(60)]


def test_the_stream_is_the_same_in_every_process():
    runs = {subprocess.run([sys.executable, "-m", "generator", "--count", "400", "--seed", "9"], cwd=Path(__file__).parent.parent, check=True,
                           env={**os.environ, "PYTHONHASHSEED": hashing}, capture_output=True).stdout for hashing in "12"}
    assert len(runs) == 1


def test_the_global_random_state_is_left_alone():
    generator = Generator(1)
    random.seed(5)
    before = random.getstate()
    for _ in range(20):
        generator.example()
    assert random.getstate() == before


# ---- rendering ----------------------------------------------------------------------------------


def test_every_sheet_renders_its_values_where_its_spans_say():
    values, rng = Values(0), random.Random(0)
    for one in load_sheets(DOCUMENTS):
        for text in one.texts:
            document = render(one, text, values.voice(rng, one.lang), rng)
            for name, answer in document.answers.items():
                for start, end in answer.spans:
                    if not answer.slot.many:
                        assert document.text[start:end] == document.values[name], f"{one.path}:{text.line}"


def test_a_slot_written_twice_is_mentioned_twice(tmp_path):
    document = draw(tmp_path, "{number} and again {number}, not {number~}")
    texts = [document.text[a:b] for a, b in document.answers["number"].spans]
    assert len(texts) == 2 and texts[0] == texts[1] and texts[0].startswith("INV-")


def test_a_short_form_alone_is_neither_answer_nor_absent_field(tmp_path):
    document = draw(tmp_path, "Dear {seller.name~}, {number}")
    for seed in range(200):
        for field in choose(random.Random(seed), document):
            assert words(field["path"][-1])[-1] not in ("name", "vendor"), field


def test_lists_records_and_backslashes(tmp_path):
    document = draw(tmp_path, 'Skills: {skills, ", ", " and "}\n{items:\n- {name}: {price}\n}\nEnd \\{x\\} \\[[')
    assert document.text.endswith("End {x} [[")
    skills = [document.text[a:b] for a, b in document.answers["skills"].spans]
    assert len(skills) == len(set(skills)) >= 1
    for record in document.answers["items"].records:
        (a, b), (c, d) = record["name"], record["price"]
        assert document.text[a - 2:a] == "- " and document.text[b:c] == ": " and document.text[d] == "\n"
    assert "\n\n" not in document.text


def test_flags_answer_only_when_said(tmp_path):
    said = {draw(tmp_path, "{number} {express? sent by express | }.", seed).answers["express"].flag for seed in range(40)}
    assert said == {True, None}


def test_choices_know_their_option(tmp_path):
    document = draw(tmp_path, "Status: {state}")
    answer = document.answers["state"]
    start, end = answer.spans[0]
    assert document.text[start:end].lower() == ("open", "paid")[answer.index]


def test_parentheses_inside_an_optional_part_stay_whole(tmp_path):
    texts = {draw(tmp_path, "{number}((, (in full)))!", seed).text[8:] for seed in range(40)}
    assert texts == {", (in full)!", "!"}


# ---- absent fields ------------------------------------------------------------------------------


def test_a_bare_key_is_absent_only_where_no_like_value_stands():
    generator, rng = Generator(11), random.Random(2)
    for _ in range(600):
        document = generator._document()
        for field in choose(rng, document, generator._strangers(document.lang)):
            if field["kind"] != "scalar" or field["spans"] or len(field["path"]) > 1 or field["description"]:
                continue
            if len(words(field["path"][-1])) == 1 and words(field["path"][-1])[0] in GENERIC:
                slots = [slot for slot in document.slots.values() for key in slot.keys if words(key) == words(field["path"][-1])]
                for slot in slots:
                    like = next((group for group in ALIKE if slot.type.name in group), {slot.type.name})
                    assert not like & document.types, (document.kind, field["path"])


def test_a_stranger_shares_no_word_with_the_sheet():
    generator, rng = Generator(12), random.Random(2)
    seen = 0
    for _ in range(600):
        document = generator._document()
        known = document.known_words()
        strangers = [slot for slot in generator._strangers(document.lang) if slot.name not in document.slots]
        for slot in strangers:
            for field in _with_stranger(rng, document, slot):
                seen += 1
                assert not set(words(field["path"][-1])) & known and not spans(field)
    assert seen > 20


def _with_stranger(rng, document, slot):
    chooser = _Chooser(rng, document)
    chooser.namer.short = False
    chooser.add_stranger(slot)
    return chooser.fields


def test_an_absent_field_of_a_dump_is_no_other_name_of_a_written_one():
    values, rng = Values(0), random.Random(5)
    for _ in range(300):
        document = dumps.dump(rng, values)
        answers = [answer for answer in document.answers.values() if answer.slot.parts is None]
        written = [set(map(words, answer.slot.keys)) for answer in answers if answer.present]
        for answer in answers:
            if not answer.present:
                assert not any(set(map(words, answer.slot.keys)) & names for names in written)


def test_joined_documents_drop_fields_the_other_could_answer():
    generator = Generator(13)
    for _ in range(300):
        document, other = generator._document(), generator._document()
        fields = choose(generator.rng, document)
        values = [[document.text[a:b] for a, b in spans(field)] for field in fields]
        kept = dict(zip(map(id, fields), values))
        text = noise.join(generator.rng, document, fields, other)
        for field in fields:
            assert [text[a:b] for a, b in spans(field)] == kept[id(field)]
        if text != document.text:
            foreign = other.known_words() - GENERIC
            assert all(not {word for part in field["path"][-2:] for word in words(part)} & foreign for field in fields)


def test_an_overview_list_leaves_nothing_of_its_kind_out():
    generator, rng, seen = Generator(14), random.Random(3), set()
    for _ in range(1500):
        document = generator._document()
        found = overview(rng, document)
        if found and found[0] in ("emails", "email_addresses", "percentages", "all_percentages"):
            mark = "@" if "mail" in found[0] else "%"
            rest = list(document.text)
            for start, end in found[2]:
                rest[start:end] = "_" * (end - start)
            assert mark not in "".join(rest)
            seen.add(bool(found[2]))
    assert seen == {True, False}


# ---- wear -----------------------------------------------------------------------------------------


def test_edits_move_spans_and_never_cut_them():
    text = "ab cd ef"
    fields = [{"spans": [[0, 2], [3, 8]]}]
    changed = noise.edit(text, fields, [(0, 0, ">> "), (1, 4, "x"), (5, 6, "\n  "), (8, 8, "!")])
    assert changed == ">> ab cd\n  ef!"
    assert [changed[a:b] for a, b in fields[0]["spans"]] == ["ab", "cd\n  ef"]


def test_wear_keeps_values_recognisable():
    rng, values = random.Random(1), Values(1)
    same = total = 0
    for _ in range(400):
        document = dumps.dump(rng, values)
        fields = choose(rng, document)
        before = [document.text[a:b] for a, b in noise.spans_of(fields)]
        text = noise.wear(rng, document.text, document.lang, fields)
        after = [text[a:b] for a, b in noise.spans_of(fields)]
        same += sum("".join(a.split()).lower() == "".join(b.split()).lower() for a, b in zip(before, after))
        total += len(before)
    assert same / total > 0.97


# ---- faults in sheets -----------------------------------------------------------------------------


@pytest.mark.parametrize("text, line, message", [
    ("{number", 0, "no '}' closes"),
    ("fine {number}\nthen ((open", 1, "no '))' closes"),
    ("[[a|b", 0, "no ']]' closes"),
    ("{nothing}", 0, "'nothing' is not declared"),
    ("{items}", 0, "list of records"),
    ("{number: x}", 0, "no list of records"),
    ('{number, ", "}', 0, "is no list"),
    ("{state? a | b}", 0, "is no flag"),
    ("{!frob}", 0, "unknown type 'frob'"),
    ("a } b {number}", 0, "closes nothing"),
    ("just words", 0, "no text of this sheet writes"),
])
def test_faults_in_a_text_name_file_and_line(tmp_path, text, line, message):
    with pytest.raises(SheetError, match=r"one\.doc:\d+: ") as fault:
        sheet(tmp_path, text)
    assert f"one.doc:{FIRST + line}: " in str(fault.value) and message in str(fault.value)


@pytest.mark.parametrize("line, message", [
    ("  x = frob ; key", "unknown type 'frob'"),
    ("  x ; key", "has no type"),
    ("  number = date ; key", "declared twice"),
    ("  x = integer(9,1) ; key", "lower and an upper bound"),
    ("  x = choice(a) ; key", "takes 2 to"),
    ("  x = date key", "unexpected 'key'"),
    ("  x = date ; in voice?", "is no key name"),
    ("  Rows[] ; rows", "cannot read field"),
    ("  rows[] ; rows", "has no fields of its own"),
    ("  x = choice(a|b ; key", "no ')' closes"),
])
def test_faults_in_a_field_name_file_and_line(tmp_path, line, message):
    with pytest.raises(SheetError) as fault:
        sheet(tmp_path, "{number}", SHEET + line + "\n")
    assert f"one.doc:{FIRST - 1}: " in str(fault.value) and message in str(fault.value)


def test_a_sheet_without_header_or_text_is_refused(tmp_path):
    path = tmp_path / "two.doc"
    path.write_text("kind: x\nlang: xx\nfields:\n  a = date ; a\ntext:\n{a}\n", encoding="utf-8")
    with pytest.raises(SheetError, match="lang 'xx'"):
        Sheet.load(path)
    path.write_text("kind: x\nlang: en\nfields:\n  a = date ; a\n", encoding="utf-8")
    with pytest.raises(SheetError, match="no 'text:' line"):
        Sheet.load(path)


def test_a_folder_without_sheets_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no \\*.doc sheets"):
        Generator(0, tmp_path)


# ---- tables -----------------------------------------------------------------------------------------


def test_the_field_pool_is_wide_and_readable():
    names = {name for _, _, entries in dumps.pool("en") for entry in entries for name in entry.labels}
    assert len(names) >= 400
    assert all(dumps.pool(lang) for lang in ("de", "fr", "es", "it"))


def test_boilerplate_is_plenty():
    assert sum(len(table("boilerplate", lang)) for lang in ("en", "de", "fr", "es", "it")) >= 60
