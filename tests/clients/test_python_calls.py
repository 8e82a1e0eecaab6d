"""The Python client against a scripted server: retries, idempotency, polling, errors; blocking and with asyncio."""

import asyncio
import inspect
import uuid

import pytest
import refractr
from refractr import AsyncRefractr, Refractr
from scripted import HANG_UP, JOB, fault, pending, success


class InLoop:
    """AsyncRefractr with the surface of Refractr, so that one test serves both."""

    def __init__(self, *args, **options):
        self.made = args, options

    def __getattr__(self, name):
        def call(*args, **options):
            async def run():
                async with AsyncRefractr(*self.made[0], **self.made[1]) as client:
                    return await getattr(client, name)(*args, **options)

            return asyncio.run(run())

        return call


@pytest.fixture(params=[Refractr, InLoop], ids=["blocking", "asyncio"])
def connect(request, server):
    return lambda **options: request.param("dm_test", server.url, **options)


def test_extract_sends_what_the_service_wants(server, connect):
    server.answers = [success({"a": "x"})]
    result = connect().extract("text", {"a": None})
    sent = server.asked[0]
    assert (sent.method, sent.path) == ("POST", "/api/v1/extract/")
    assert sent.json == {"document_text": "text", "template": {"a": None}}
    assert sent.headers["Authorization"] == "Bearer dm_test"
    assert uuid.UUID(server.keys()[0]).version == 4
    assert (result.data, result.job_id, result.latency_ms, result.credits_charged) == ({"a": "x"}, JOB, 6, 1)
    assert result.fields is None


def test_calls_have_keys_of_their_own_and_take_a_given_one(server, connect):
    server.answers = [success({})] * 3
    client = connect()
    client.extract("t", {"a": None})
    client.extract("t", {"a": None})
    client.extract("t", {"a": None}, idempotency_key="mine")
    first, second, third = server.keys()
    assert first != second and third == "mine"


def test_webhook_url_goes_with_every_extraction(server, connect):
    server.answers = [success({}), pending(), success({}), pending()]
    client = connect()
    for call in (client.extract, client.extract_and_wait, client.submit):
        call("t", {"a": None}, webhook_url="https://hooks.example/in")
    sent = [a.json for a in server.asked if a.method == "POST"]
    assert [b["webhook_url"] for b in sent] == ["https://hooks.example/in"] * 3
    assert [b.get("wait") for b in sent] == [None, False, False]


def test_an_option_that_is_not_one_is_refused(server, connect):
    with pytest.raises(TypeError, match="detail"):
        connect().extract("t", {"a": None}, detail=True)
    assert server.asked == []


@pytest.mark.parametrize("status, kind, code", [
    (429, "rate_limit_error", "rate_limit_exceeded"), (503, "service_unavailable", "queue_full")])
def test_retry_waits_as_asked_with_the_same_key(server, connect, status, kind, code):
    server.answers = [fault(status, kind, code, {"Retry-After": "1"}), success({"a": 1})]
    assert connect().extract("t", {"a": None}).data == {"a": 1}
    assert len(set(server.keys())) == 1 and len(server.keys()) == 2
    assert 0.99 <= server.gaps()[0] < 6


def test_proxy_faults_lost_connections_and_running_twins_are_retried(server, connect):
    server.answers = [(502, {}, b"<html>bad gateway</html>"), HANG_UP,
                      fault(409, "conflict_error", "idempotent_request_in_progress"), success({"a": 1})]
    assert connect().extract("t", {"a": None}).data == {"a": 1}
    assert len(server.keys()) == 4 and len(set(server.keys())) == 1
    first, second, third = server.gaps()
    assert first >= 0.24 and second >= 0.49 and third >= 0.99  # at least half of 0.5 s, 1 s, 2 s
    assert sum((first, second, third)) < 15  # a busy machine adds to them


def test_retries_are_bounded(server, connect):
    server.answers = [fault(503, "service_unavailable", "engine_unavailable")] * 9
    with pytest.raises(refractr.ServiceUnavailableError):
        connect(max_retries=1).extract("t", {"a": None})
    assert len(server.asked) == 2


def test_a_wait_longer_than_the_time_left_is_told_at_once(server, connect):
    server.answers = [fault(429, "rate_limit_error", "rate_limit_exceeded", {"Retry-After": "60"})]
    with pytest.raises(refractr.RateLimitError) as told:
        connect().extract("t", {"a": None}, timeout=5)
    assert told.value.retry_after == 60 and len(server.asked) == 1


def test_504_goes_on_by_polling_its_job(server, connect):
    server.answers = [fault(504, "timeout_error", "deadline_exceeded", {"Location": f"/api/v1/extract/{JOB}/"}, job_id=JOB),
                      pending(200), success({"a": "late"})]
    assert connect().extract("t", {"a": None}).data == {"a": "late"}
    assert [a.path for a in server.asked[1:]] == [f"/api/v1/extract/{JOB}/"] * 2
    assert len(server.keys()) == 1


def test_a_proxys_504_without_a_job_is_retried_with_the_same_key(server, connect):
    server.answers = [(504, {}, b"gateway timeout"), success({"a": 1})]
    assert connect().extract("t", {"a": None}).data == {"a": 1}
    assert len(set(server.keys())) == 1 and len(server.keys()) == 2


def test_extract_and_wait_polls_with_growing_pauses(server, connect):
    server.answers = [pending(), *[pending(200)] * 3, success({"a": 1})]
    assert connect().extract_and_wait("t", {"a": None}).data == {"a": 1}
    assert server.asked[0].json["wait"] is False
    for gap, pause in zip(server.gaps(), [0.1, 0.2, 0.4, 0.8]):
        assert pause - 0.01 <= gap < pause + 3


def test_waiting_ends_with_the_job_named(server, connect):
    server.answers = [pending(), *[pending(200)] * 20]
    with pytest.raises(refractr.RequestTimeoutError) as told:
        connect().extract_and_wait("t", {"a": None}, timeout=0.6)
    assert told.value.job_id == JOB and isinstance(told.value, TimeoutError)
    assert len(server.asked) <= 4


def test_polls_survive_a_restart_of_the_service(server, connect):
    server.answers = [pending(), HANG_UP, fault(503, "service_unavailable", "shutting_down"), success({"a": 1})]
    assert connect().extract_and_wait("t", {"a": None}).data == {"a": 1}


def test_submit_get_wait(server, connect):
    server.answers = [pending(), pending(200), success({"a": 1})]
    client = connect()
    job = client.submit("t", {"a": None})
    assert (job.job_id, job.status) == (JOB, "pending")
    assert client.get(job).status == "pending"
    assert client.wait(JOB).data == {"a": 1}


def test_a_failed_job_is_told_by_get_and_raised_by_wait(server, connect):
    failed = {"job_id": JOB, "status": "failed", "error": fault(500, "api_error", "internal_error")[2]["error"]}
    server.answers = [(200, {}, failed)] * 2
    client = connect()
    job = client.get(JOB)
    assert job.status == "failed" and job.error.code == "internal_error"
    with pytest.raises(refractr.InternalServerError) as told:
        client.wait(JOB)
    assert told.value.job_id == JOB


@pytest.mark.parametrize("status, kind, code, expected", [
    (400, "invalid_request_error", "document_too_long", refractr.InvalidRequestError),
    (401, "authentication_error", "api_key_invalid", refractr.AuthenticationError),
    (402, "payment_required", "insufficient_credits", refractr.InsufficientCreditsError),
    (403, "permission_error", "forbidden", refractr.PermissionDeniedError),
    (404, "not_found_error", "job_not_found", refractr.NotFoundError),
    (500, "api_error", "internal_error", refractr.InternalServerError)])
def test_errors_have_classes_and_members_and_are_not_retried(server, connect, status, kind, code, expected):
    server.answers = [fault(status, kind, code)]
    with pytest.raises(expected) as told:
        connect().extract("t", {"a": None})
    e = told.value
    assert (e.code, e.message, e.param, e.request_id, e.doc_url, e.status_code) == (
        code, f"told: {code}", "document_text", "req_1", f"/docs/#{code}", status)
    assert isinstance(e, refractr.RefractrError) and code in str(e) and "req_1" in str(e)
    assert len(server.asked) == 1


def test_an_unreachable_service_is_a_connection_error(server, connect):
    client = connect(max_retries=1)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(refractr.APIConnectionError) as told:
        client.extract("t", {"a": None})
    assert told.value.code == "connection_error"


def test_an_answer_of_something_else_is_an_error(server, connect):
    server.answers = [(200, {}, b"<html>hello</html>"), (200, {}, {"hello": 1})]
    for _ in range(2):
        with pytest.raises(refractr.InternalServerError):
            connect().extract("t", {"a": None})


def test_details_are_classes(server, connect):
    one = {"value_text": "x", "start": 3, "end": 4, "confidence": 0.9}
    server.answers = [success({"a": "x", "b": ["x"]}, fields={"a": one, "b": {"values": [one], "near_misses": 2}})]
    fields = connect().extract("t", {"a": None, "b": []}, details=True).fields
    assert server.asked[0].json["details"] is True
    assert fields["a"] == refractr.FieldDetail("x", 3, 4, 0.9)
    assert fields["b"] == refractr.ListDetail([fields["a"]], 2)


def test_job_ids_do_not_wander_into_the_path(server, connect):
    with pytest.raises(ValueError):
        connect().get("../account")
    assert server.asked == []


def test_settings_come_from_the_environment(server, monkeypatch):
    monkeypatch.delenv("REFRACTR_API_KEY", raising=False)
    with pytest.raises(refractr.AuthenticationError):
        Refractr()
    monkeypatch.setenv("REFRACTR_API_KEY", "dm_env")
    monkeypatch.setenv("REFRACTR_BASE_URL", server.url + "/")
    server.answers = [success({})]
    Refractr().extract("t", {"a": None})
    assert server.asked[0].headers["Authorization"] == "Bearer dm_env" and server.asked[0].path == "/api/v1/extract/"


def test_both_clients_have_the_same_methods():
    def surface(cls):
        return {n: list(inspect.signature(f).parameters) for n, f in vars(cls).items() if callable(f) and n[0] != "_"}

    assert surface(Refractr) == surface(AsyncRefractr)
