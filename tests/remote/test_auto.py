"""--engine auto: the embedded model first, the pool for what it is unsure of."""

from conftest import ups, wait_for
from service import extract

TEXT = "Invoice #2847\nDate: 2026-01-15\nTotal: €1,249.00\nFavourite colour: teal\n"
TEMPLATE = {"invoice_number": None, "date": None, "total_amount": None, "favourite_colour": None}


def ask(service, **more):
    answer = extract(service, service.key, document_text=TEXT, template=TEMPLATE, details=True, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_sure_fields_never_leave_the_machine(make_upstream, make_remote, model):
    upstream = make_upstream()
    service = make_remote(upstream, engine="auto", model=model, options=["--auto-threshold", "0"])
    body = ask(service)
    assert upstream.requests == []
    assert body["extracted_data"]["invoice_number"] == "2847"
    assert {f["engine"] for f in body["metadata"]["fields"].values()} == {"embedded"}
    assert "warnings" not in body["metadata"]


def test_unsure_fields_are_asked_of_the_pool_and_the_surer_answer_stands(make_upstream, make_remote, model):
    upstream = make_upstream()
    upstream.logprob = -1e-9
    service = make_remote(upstream, engine="auto", model=model, options=["--auto-threshold", "100"])
    body = ask(service)
    assert list(body["extracted_data"]) == list(TEMPLATE)
    assert body["extracted_data"]["favourite_colour"] == "teal" and body["extracted_data"]["invoice_number"] == "2847"
    fields = body["metadata"]["fields"]
    asked = upstream.requests[0]["body"]["response_format"]["json_schema"]["schema"]["properties"]
    assert "favourite_colour" in asked
    assert fields["favourite_colour"]["engine"] == "remote" and fields["favourite_colour"]["grounding"] == "verbatim"
    assert fields["invoice_number"]["engine"] == "embedded", "the scripted upstream finds no line for it and is less sure"
    plain = extract(service, service.key, document_text=TEXT, template=TEMPLATE).json()
    assert plain["extracted_data"] == body["extracted_data"] and "fields" not in plain["metadata"]


def test_with_the_pool_down_the_embedded_answer_stands_and_says_so(make_upstream, make_remote, model):
    upstream = make_upstream()
    service = make_remote(upstream, engine="auto", model=model, options=["--auto-threshold", "100"])
    upstream.stop()
    wait_for(lambda: ask(service) and ups(service) == 0)
    body = ask(service)
    assert body["extracted_data"]["invoice_number"] == "2847"
    assert {f["engine"] for f in body["metadata"]["fields"].values()} == {"embedded"}
    warning = " ".join(body["metadata"]["warnings"])
    assert "pool of upstreams" in warning and "favourite_colour" in warning
    assert body["metadata"]["credits_charged"] == 1
