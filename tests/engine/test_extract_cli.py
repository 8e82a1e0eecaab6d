"""refractr extract: files, stdin and JSON lines, with the shipped model; nasty texts; exit codes."""
import json
import pathlib
import subprocess

import pytest
from service import BINARY, INVOICE, MODEL

TEMPLATE = json.dumps(INVOICE["template"])
ANSWER = {"invoice_number": "2847", "date": "2026-01-15", "total_amount": "€1,249.00"}


def run(*args, text="", code=0, model=True):
    extra = ["--model", str(MODEL)] if model else []
    done = subprocess.run([str(BINARY), "extract", *args, *extra], input=text if isinstance(text, bytes) else text.encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    assert done.returncode == code, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


@pytest.fixture(autouse=True)
def needs_model(model):
    """All of these run the model."""


def test_stdin_fills_the_template():
    lines, _ = run("--template", TEMPLATE, text=INVOICE["document_text"])
    assert lines == [ANSWER]
    assert list(lines[0]) == list(INVOICE["template"])
    assert run("--template", TEMPLATE, "-", text=INVOICE["document_text"])[0] == lines  # as other programs name stdin


def test_template_from_a_file_and_several_documents(tmp_path):
    (tmp_path / "t.json").write_text(TEMPLATE)
    names = []
    for i in range(3):
        names.append(str(tmp_path / f"{i}.txt"))
        pathlib.Path(names[-1]).write_text(INVOICE["document_text"].replace("2847", f"28{i}7"))
    lines, _ = run("--template", str(tmp_path / "t.json"), *names)
    assert [line["file"] for line in lines] == names
    assert [line["extracted_data"]["invoice_number"] for line in lines] == ["2807", "2817", "2827"]


def test_details_point_into_the_text():
    text = INVOICE["document_text"]
    lines, _ = run("--template", TEMPLATE, "--details", text=text)
    for key, value in lines[0]["extracted_data"].items():
        where = lines[0]["fields"][key]
        assert text[where["start"]:where["end"]] == value == where["value_text"]
        assert 0.5 <= where["confidence"] <= 1


GOODS = [["Blue pen, fine", "12", "0.90"], ["Stapler", "1", "14.50"], ["Index cards  A6", "3", "2.25"],
         ["Desk lamp", "2", "31.00"], ["Packing tape", "6", "1.20"]]
TABLES = {  # the same table as people send it
    "markdown": "| Item | Qty | Unit price |\n|---|--:|--:|\n" + "".join(f"| {' | '.join(r)} |\n" for r in GOODS),
    "tabs": "item\tqty\tunit price\n" + "".join("\t".join(r) + "\n" for r in GOODS),
    "semicolons": "item;qty;unit price\n" + "".join(";".join(r) + "\n" for r in GOODS),
    "aligned": "Item                 Qty   Unit price\n" + "-" * 37 + "\n" + "".join(f"{a:18}{b:>6}{c:>13}\n" for a, b, c in GOODS),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_read_by_their_columns(name):
    text = f"Order 5512\n\n{TABLES[name]}\nTotal 101.25\n"
    lines, _ = run("--template", '{"items": [{"item": null, "qty": "integer", "price": "number"}]}', text=text)
    assert lines == [{"items": [{"item": a, "qty": int(b), "price": float(c)} for a, b, c in GOODS]}]


def test_json_lines_keep_order_and_go_on_after_a_bad_one():
    good = json.dumps({**INVOICE, "id": 7})
    bad = ["{", json.dumps({"document_text": "x"}), json.dumps({"document_text": "", "template": {"a": None}}),
           json.dumps({"document_text": "x", "template": {"a": 1}}), json.dumps({"document_text": "x" * 50001, "template": {"a": None}})]
    lines, _ = run("--jsonl", "-", text="\n".join([good, *bad, good]), code=1)
    assert [line["status"] for line in lines] == ["success"] + ["failed"] * 5 + ["success"]
    assert [line["error"]["code"] for line in lines[1:6]] == ["invalid_json", "missing_field", "document_empty", "template_invalid",
                                                             "document_too_long"]
    assert lines[0]["extracted_data"] == ANSWER and lines[0]["id"] == 7


def test_numbers_are_written_as_a_person_would():
    text = "Total: 2.40 EUR, tax 0.1, weight 1234.56 kg"
    done = subprocess.run([BINARY, "extract", "--model", MODEL, "--template", '{"total": "number", "tax": "number"}'],
                          input=text.encode(), stdout=subprocess.PIPE, check=True)
    assert b'"total":2.4,' in done.stdout and b'"tax":0.1}' in done.stdout


NASTY = {
    "only spaces": " \n\t ", "emoji": "😀" * 50_000, "one long word": "x" * 50_000, "right to left": "מספר חשבונית 2847 تاريخ ١٥",
    "combining marks": "I\u0301nvoice\u0300 #2\u0301847 " + "e\u0301" * 200, "controls": "Invoice\x01\x02 #28\x0047\x7f\u200b\u202e",
    "special pieces": "[CLS] Invoice [SEP] #2847 [MASK][PAD]", "hangul": "송장 번호 2847 합계 " * 50, "chinese": "发票号码2847，日期2026年1月15日。" * 40,
}


@pytest.mark.parametrize("name", NASTY)
def test_nasty_texts_are_answered_with_right_places(name):
    text = NASTY[name]
    template = {"invoice_number": None, "发票号码": None, "___": None, "names": [], "rows": [{"a": None, "b": "number"}], "kind": ["x", "y"]}
    line = json.dumps({"document_text": text, "template": template})
    lines, _ = run("--jsonl", "-", "--details", text=line)
    assert list(lines[0]["extracted_data"]) == list(template)
    for detail in lines[0]["metadata"]["fields"].values():
        for where in detail.get("values", [detail]):
            if where["start"] is not None:
                assert text[where["start"]:where["end"]] == where["value_text"]


def test_usage_and_missing_model():
    run(text="x", code=2)
    run("--template", "{", text="x", code=2)
    run("--template", '{"a": 3}', text="x", code=2)
    _, message = run("--template", TEMPLATE, "--model", "/nowhere", text="x", code=3, model=False)
    assert "/nowhere" in message
    _, message = run("--template", TEMPLATE, text=b"\xff\xfe", code=1)
    assert "UTF-8" in message
