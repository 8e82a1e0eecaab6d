"""The Python client against the real program."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest
import refractr
from pydantic import BaseModel
from refractr import AsyncRefractr, Refractr, webhooks
from scripted import ScriptedServer
from service import INVOICE, ROOT, UNLIMITED

TEXT, TEMPLATE = INVOICE["document_text"], INVOICE["template"]


class Invoice(BaseModel):
    invoice_number: str | None
    items: list[str]


@pytest.fixture
def client(service, key):
    with Refractr(key, service.url) as c:
        yield c


def test_every_way_to_an_answer(client):
    assert client.extract(TEXT, TEMPLATE).data == dict.fromkeys(TEMPLATE)  # the stub engine finds nothing
    assert client.extract_and_wait(TEXT, TEMPLATE).data == dict.fromkeys(TEMPLATE)
    assert client.wait(client.submit(TEXT, Invoice)).data == Invoice(invoice_number=None, items=[])
    account = client.account()
    assert account.credits_available == 1_000_000 - 3 and account.limits["document_chars"] == 50_000


def test_asyncio(service, key):
    async def many():
        async with AsyncRefractr(key, service.url) as client:
            return await asyncio.gather(*(client.extract(TEXT, Invoice) for _ in range(20)))

    assert len({r.job_id for r in asyncio.run(many())}) == 20


def test_the_same_key_is_charged_once(client):
    first, again = (client.extract(TEXT, TEMPLATE, idempotency_key="same") for _ in range(2))
    assert first.job_id == again.job_id and client.account().credits_available == 999_999


def test_webhook_url_gets_what_polling_answers(make_service):
    """The event of one extraction, checked by the client's own verify with the key's secret."""
    service = make_service(*UNLIMITED, "--webhook-allow-private")
    key = service.account()[1]
    with ScriptedServer() as hook, Refractr(key, service.url) as client:
        hook.answers = [(204, {}, b"")]
        job = client.submit(TEXT, TEMPLATE, webhook_url=hook.url + "/done")
        client.wait(job)
        deadline = time.monotonic() + 30
        while not hook.asked and time.monotonic() < deadline:
            time.sleep(0.05)
        told = hook.asked[0]
    event = webhooks.verify(told.body, told.headers, webhooks.secret_of(key))
    assert (told.path, event["type"], event["data"]["job_id"]) == ("/done", "job.succeeded", job.job_id)
    with pytest.raises(refractr.WebhookVerificationError):
        webhooks.verify(told.body, told.headers, webhooks.secret_of(service.account()[1]))


def test_errors(service, client):
    with pytest.raises(refractr.InvalidRequestError) as told:
        client.extract("", TEMPLATE)
    assert (told.value.code, told.value.param) == ("document_empty", "document_text") and told.value.request_id
    with pytest.raises(refractr.AuthenticationError):
        Refractr("dm_wrong", service.url).account()
    with pytest.raises(refractr.NotFoundError):
        client.get("00000000-0000-4000-8000-000000000000")
    with pytest.raises(refractr.InsufficientCreditsError):
        Refractr(service.account(credits=0)[1], service.url).extract(TEXT, TEMPLATE)


def test_the_services_deadline_is_bridged_by_polling(make_service):
    service = make_service(*UNLIMITED, "--stub-delay-ms", "700", "--deadline-ms", "200")
    client = Refractr(service.account(credits=5)[1], service.url)
    assert client.extract(TEXT, TEMPLATE).data == dict.fromkeys(TEMPLATE)
    assert client.account().credits_available == 4


def test_two_calls_with_one_key_at_once_give_one_job(make_service):
    service = make_service(*UNLIMITED, "--stub-delay-ms", "500")
    client = Refractr(service.account(credits=5)[1], service.url)
    results = []
    threads = [threading.Thread(target=lambda: results.append(client.extract(TEXT, TEMPLATE, idempotency_key="twin")))
               for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 2 and len({r.job_id for r in results}) == 1


def test_the_model_answers(model_service):
    client = Refractr(model_service.key, model_service.url)
    result = client.extract(TEXT, TEMPLATE, details=True)
    assert result.data["invoice_number"] == "2847"
    found = result.fields["invoice_number"]
    assert TEXT[found.start : found.end] == found.value_text == "2847" and 0 <= found.confidence <= 1


def test_types_are_strict():
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ROOT / "build" / "mypy", ROOT / "clients/python/src/refractr",
         ROOT / "tests/clients/python_types.py"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_the_readmes_example_runs(service, key):
    """The first block of the README as it stands; the service and the key come from the environment."""
    readme = (ROOT / "clients/python/README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0].replace('"dm_..."', "None")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={"REFRACTR_API_KEY": key, "REFRACTR_BASE_URL": service.url, "PYTHONIOENCODING": "utf-8"})
    assert done.stdout.strip() == str({"invoice_number": None, "date": None, "total_amount": None}), done.stderr
