"""The extraction call: answers, polling, headers, to the letter."""

import concurrent.futures
import http.client
import json
import re
import uuid

import pytest
import requests
from service import INVOICE, available, extract, get, poll

STORES = ("sqlite", "postgresql")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.mark.parametrize("path", ["/api/v1/extract/", "/api/v1/extract"])
def test_answer_to_the_letter(service, key, path):
    answer = extract(service, key, path=path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert list(body) == ["job_id", "status", "extracted_data", "metadata"]
    assert UUID.fullmatch(body["job_id"])
    assert body["status"] == "success"
    assert list(body["metadata"]) == ["latency_ms", "credits_charged"]
    assert type(body["metadata"]["latency_ms"]) is int and body["metadata"]["latency_ms"] >= 0
    assert body["metadata"]["credits_charged"] == 1


def test_keys_come_in_the_templates_order(service, key):
    template = {"zeta": None, "alpha": [], "Mitte": {"z": None, "a": {"deep": ["date"], "b": None}}, "日本": None, "beta": "number"}
    data = extract(service, key, template=template).json()["extracted_data"]
    assert list(data) == list(template)
    assert list(data["Mitte"]) == ["z", "a"]
    assert list(data["Mitte"]["a"]) == ["deep", "b"]


def test_missing_values_are_null_and_missing_lists_empty(service, key):
    data = extract(service, key, document_text="-", template={"a": None, "b": [], "c": {"d": "date", "e": ["number"]}})
    assert data.json()["extracted_data"] == {"a": None, "b": [], "c": {"d": None, "e": []}}


def test_wait_false_is_answered_202_and_polled(service, key):
    answer = extract(service, key, wait=False)
    assert answer.status_code == 202
    body = answer.json()
    assert body == {"job_id": body["job_id"], "status": "pending"}
    assert answer.headers["Location"] == f"/api/v1/extract/{body['job_id']}/"
    done = poll(service, key, body["job_id"])
    assert list(done) == ["job_id", "status", "extracted_data", "metadata"]
    assert done["status"] == "success" and done["job_id"] == body["job_id"]
    assert done["metadata"]["credits_charged"] == 1


def test_sync_answer_can_be_polled_and_is_the_same(service, key):
    sync = extract(service, key).json()
    for path in (f"/api/v1/extract/{sync['job_id']}/", f"/api/v1/extract/{sync['job_id']}", f"/api/v1/extract/{sync['job_id'].upper()}/"):
        assert get(service, key, path).json() == sync


def test_job_of_another_account_is_not_found(service, key):
    job_id = extract(service, key).json()["job_id"]
    other = service.account()[1]
    told = []
    for asked in (job_id, str(uuid.uuid4())):
        answer = get(service, other, f"/api/v1/extract/{asked}/")
        assert answer.status_code == 404
        error = answer.json()["error"]
        told.append((error["code"], error["message"].replace(asked, "ID"), error["param"]))
    assert told[0] == told[1] and told[0][0] == "job_not_found"


def test_details_come_only_when_asked_for(service, key):
    assert "fields" not in extract(service, key, details=False).json()["metadata"]
    assert isinstance(extract(service, key, details=True).json()["metadata"]["fields"], dict)


def test_each_answer_costs_one_credit_and_polling_none(service):
    key = service.account(credits=10)[1]
    answer = extract(service, key)
    assert answer.headers["X-Credits-Remaining"] == "9"
    for _ in range(5):
        get(service, key, f"/api/v1/extract/{answer.json()['job_id']}/")
    assert available(service, key) == 9


def test_account(service):
    account_id, key = service.account(credits=7, name="Ünit test")
    body = get(service, key, "/api/v1/account/").json()
    assert body["account_id"] == account_id and body["name"] == "Ünit test"
    assert body["credits"] == {"available": 7, "held": 0}
    assert body["limits"]["document_chars"] == 50000 and body["limits"]["template_fields"] == 200
    assert get(service, key, "/api/v1/account").json() == body


def test_request_id_on_every_answer(service, key):
    for path in ("/livez", "/nothing", "/api/v1/account/", "/", "/metrics"):
        first, second = (requests.get(service.url + path).headers["X-Request-Id"] for _ in range(2))
        assert first != second and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", first)
    assert extract(service, key, headers={"X-Request-Id": "my-id_7"}).headers["X-Request-Id"] == "my-id_7"
    wrong = extract(service, "dm_wrong", headers={"X-Request-Id": "my-id_8"})
    assert wrong.json()["error"]["request_id"] == wrong.headers["X-Request-Id"] == "my-id_8"
    assert extract(service, key, headers={"X-Request-Id": "a b\t<script>"}).headers["X-Request-Id"] != "a b\t<script>"


def test_rate_limit_headers_on_authenticated_answers(service, key):
    for answer in (extract(service, key), extract(service, key, body="{"), get(service, key, "/api/v1/account/")):
        limit = answer.headers["RateLimit-Limit"]
        assert answer.headers["RateLimit-Policy"] == f"{limit};w=60"
        assert answer.headers["x-ratelimit-limit-requests"] == limit
        assert answer.headers["RateLimit-Remaining"] == answer.headers["x-ratelimit-remaining-requests"]
        assert answer.headers["x-ratelimit-reset-requests"] == answer.headers["RateLimit-Reset"] + "s"
    assert "RateLimit-Limit" not in requests.get(service.url + "/livez").headers


def test_head_and_options(service, key):
    head = requests.head(service.url + "/livez")
    assert head.status_code == 200 and head.content == b""
    options = requests.options(service.url + "/api/v1/extract/", headers={"Origin": "https://example.com"})
    assert options.status_code == 204
    assert options.headers["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in options.headers["Access-Control-Allow-Headers"]
    assert "POST" in options.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in options.headers
    assert extract(service, key).headers["Access-Control-Allow-Origin"] == "*"


def test_health_and_metrics(service, key):
    assert requests.get(service.url + "/livez").json() == {"status": "ok"}
    assert requests.get(service.url + "/readyz").json() == {"status": "ready"}
    extract(service, key)
    text = requests.get(service.url + "/metrics").text
    counted = re.search(r'refractr_http_requests_total\{route="/api/v1/extract/",method="POST",status="200"\} (\d+)', text)
    assert counted and int(counted[1]) >= 1
    assert re.search(r"^refractr_jobs_succeeded_total \d+$", text, re.M)
    families = re.findall(r"^# TYPE (\S+)", text, re.M)
    assert len(families) == len(set(families))


def test_pages_carry_etag_and_strict_policy(service):
    page = requests.get(service.url + "/")
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    again = requests.get(service.url + "/", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304 and again.content == b""
    plain = requests.get(service.url + "/openapi.json", headers={"Accept-Encoding": "identity"})
    packed = requests.get(service.url + "/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json() and plain.json()["openapi"].startswith("3.1")


def test_many_at_once_get_their_own_answers(service, key):
    def one(i):
        answer = extract(service, key, template={f"key_{i}": None})
        return answer.status_code == 200 and list(answer.json()["extracted_data"]) == [f"key_{i}"]

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert all(pool.map(one, range(300)))


def test_keep_alive(service, key):
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    connection.connect()
    socket = connection.sock
    for path, status in [("/api/v1/extract/", 200)] * 10 + [("/nothing", 404), ("/livez", 405), ("/api/v1/extract/", 200)]:
        body = json.dumps(INVOICE) if status == 200 else None
        connection.request("POST", path, body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == status and answer.read()
        assert connection.sock is socket, f"closed after {status}"


def test_nothing_secret_is_logged(service):
    key = service.account()[1]
    secret = "planted secret 8c1f"
    extract(service, key, document_text=secret, template={"planted_template_key": None})
    extract(service, key, body=json.dumps({"document_text": secret, "bad": 1}))
    requests.get(service.url + "/api/v1/account/?key=planted-query", headers={"Authorization": f"Bearer {key}"})
    log = service.log.read_text()
    assert "planted" not in log and key not in log and key[12:] not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert any(line["msg"] == "request" and line["status"] == 400 for line in lines)


