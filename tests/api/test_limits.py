"""Money, pace and time: credits, the rate window, idempotency keys, the deadline, the bounded queue."""

import concurrent.futures
import threading
import time

from service import UNLIMITED, available, extract, get, held, poll


def test_200_threads_with_50_credits(make_service):
    service = make_service("--rate-limit", "1000000", "--stub-delay-ms", "20")
    key = service.account(credits=50)[1]
    barrier = threading.Barrier(200)

    def one(_):
        barrier.wait()
        return extract(service, key).status_code

    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        codes = list(pool.map(one, range(200)))
    assert codes.count(200) == 50 and codes.count(402) == 150, sorted(codes)
    assert available(service, key) == 0 and held(service, key) == 0


def test_no_credits_names_billing(service):
    key = service.account(credits=0)[1]
    answer = extract(service, key)
    assert answer.status_code == 402
    error = answer.json()["error"]
    assert error["code"] == "insufficient_credits" and "/billing/" in error["message"]
    assert answer.headers["X-Credits-Remaining"] == "0"


def test_rate_window(make_service):
    """100 in any 60 seconds: the 101st is refused wherever the minute began, and told when to come back."""
    service = make_service()
    key, other = service.account()[1], service.account()[1]
    answers = [extract(service, key) for _ in range(101)]
    assert [a.status_code for a in answers] == [200] * 100 + [429]
    refused = answers[-1]
    assert [int(a.headers["RateLimit-Remaining"]) for a in answers[:100]] == list(range(99, -1, -1))
    error = refused.json()["error"]
    assert error["code"] == "rate_limit_exceeded" and error["type"] == "rate_limit_error"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert extract(service, other).status_code == 200, "another key has its own window"
    job_id = answers[0].json()["job_id"]
    assert [get(service, key, f"/api/v1/extract/{job_id}/").status_code for _ in range(150)] == [200] * 150, "polling is counted apart"
    assert available(service, key) == 1_000_000 - 100


def test_bad_requests_count_against_the_rate(make_service):
    service = make_service("--rate-limit", "5")
    key = service.account()[1]
    assert [extract(service, key, body="{").status_code for _ in range(6)] == [400] * 5 + [429]
    assert extract(service, key).status_code == 429


def test_deadline_504_and_the_job_goes_on(make_service):
    service = make_service(*UNLIMITED, "--stub-delay-ms", "1500", "--deadline-ms", "500")
    key = service.account(credits=10)[1]
    started = time.monotonic()
    answer = extract(service, key)
    assert 0.4 < time.monotonic() - started < 1.4
    assert answer.status_code == 504
    body = answer.json()
    assert list(body) == ["error", "job_id"] and body["error"]["code"] == "deadline_exceeded"
    assert answer.headers["Location"] == f"/api/v1/extract/{body['job_id']}/"
    assert get(service, key, answer.headers["Location"]).json() == {"job_id": body["job_id"], "status": "pending"}
    assert held(service, key) == 1
    done = poll(service, key, body["job_id"])
    assert done["status"] == "success"
    assert (available(service, key), held(service, key)) == (9, 0), "charged once, because it succeeded"


def test_default_deadline_is_30_seconds(make_service):
    service = make_service("--stub-delay-ms", "32000")
    key = service.account()[1]
    started = time.monotonic()
    answer = extract(service, key)
    assert answer.status_code == 504 and 29.5 < time.monotonic() - started < 31.5
    assert poll(service, key, answer.json()["job_id"])["status"] == "success"


def test_full_queue_is_503(make_service):
    service = make_service(*UNLIMITED, "--queue-limit", "3", "--stub-delay-ms", "1000")
    key = service.account(credits=100)[1]
    answers = [extract(service, key, wait=False) for _ in range(8)]
    codes = [a.status_code for a in answers]
    assert set(codes) == {202, 503}, codes
    refused = answers[codes.index(503)]
    assert refused.json()["error"]["code"] == "queue_full"
    assert int(refused.headers["Retry-After"]) >= 1
    for answer in answers:
        if answer.status_code == 202:
            assert poll(service, key, answer.json()["job_id"])["status"] == "success"
    assert (available(service, key), held(service, key)) == (100 - codes.count(202), 0)


def test_retention(make_service):
    service = make_service(*UNLIMITED, "--retention", "2")
    key = service.account()[1]
    job_id = extract(service, key).json()["job_id"]
    assert get(service, key, f"/api/v1/extract/{job_id}/").status_code == 200
    deadline = time.monotonic() + 20
    while get(service, key, f"/api/v1/extract/{job_id}/").status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert get(service, key, f"/api/v1/extract/{job_id}/").status_code == 404


# ---- Idempotency-Key ----


def test_same_key_and_body_gives_the_stored_answer(service):
    key = service.account(credits=10)[1]
    first = extract(service, key, headers={"Idempotency-Key": "order-1"})
    second = extract(service, key, headers={"Idempotency-Key": "order-1"})
    assert first.status_code == second.status_code == 200
    assert "Idempotency-Replayed" not in first.headers and second.headers["Idempotency-Replayed"] == "true"
    assert first.json() == second.json()
    assert available(service, key) == 9


def test_same_key_with_another_body_is_refused(service, key):
    assert extract(service, key, headers={"Idempotency-Key": "k" * 255}).status_code == 200
    answer = extract(service, key, document_text="another", headers={"Idempotency-Key": "k" * 255})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "idempotency_key_reused"


def test_idempotency_keys_belong_to_their_account(service, key):
    other = service.account()[1]
    first, second = (extract(service, k, headers={"Idempotency-Key": "same"}).json()["job_id"] for k in (key, other))
    assert first != second


def test_refused_requests_do_not_use_the_key_up(service, key):
    assert extract(service, key, body="{", headers={"Idempotency-Key": "again"}).status_code == 400
    assert extract(service, key, headers={"Idempotency-Key": "again"}).status_code == 200


def test_same_key_in_progress_is_409(make_service):
    service = make_service(*UNLIMITED, "--stub-delay-ms", "1000")
    key = service.account(credits=10)[1]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: extract(service, key, headers={"Idempotency-Key": "once"}), range(20)))
    codes = [a.status_code for a in answers]
    assert codes.count(200) == 1 and codes.count(409) == 19, codes
    conflict = answers[codes.index(409)]
    assert conflict.json()["error"]["code"] == "idempotent_request_in_progress"
    assert extract(service, key, headers={"Idempotency-Key": "once"}).headers["Idempotency-Replayed"] == "true"
    assert available(service, key) == 9


def test_idempotent_async_request_names_the_same_job(service):
    key = service.account(credits=10)[1]
    first = extract(service, key, wait=False, headers={"Idempotency-Key": "async"})
    poll(service, key, first.json()["job_id"])
    second = extract(service, key, wait=False, headers={"Idempotency-Key": "async"})
    assert second.status_code in (200, 202) and second.json()["job_id"] == first.json()["job_id"]
    assert available(service, key) == 9


def test_stored_answers_survive_a_restart(make_service):
    service = make_service(*UNLIMITED)
    key = service.account(credits=10)[1]
    first = extract(service, key, headers={"Idempotency-Key": "kept"})
    service.stop()
    service.start()
    second = extract(service, key, headers={"Idempotency-Key": "kept"})
    assert second.json() == first.json() and available(service, key) == 9


