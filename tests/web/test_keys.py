"""Keys, usage, recent jobs, the session's own extractions, the front page's demo."""

import datetime
import time

import requests
from pages import Visitor, member
from service import INVOICE, UNLIMITED, command, extract

STORES = ("sqlite", "postgresql")


def test_create_use_revoke(service):
    visitor = member(service)
    made = visitor.post("keys", {"name": "billing service"}, 201)
    assert made["api_key"].startswith(made["prefix"]) and made["prefix"].startswith("dm_")
    assert extract(service, made["api_key"]).status_code == 200
    row = visitor.get("keys")["keys"][0]
    assert row["id"] == made["id"] and row["name"] == "billing service" and row["revoked_at"] is None
    assert made["api_key"] not in str(visitor.get("keys"))
    assert visitor.call("DELETE", f"keys/{made['id']}").json() == {"ok": True}
    assert extract(service, made["api_key"]).status_code == 401
    assert visitor.get("keys")["keys"][0]["revoked_at"]


def test_regenerate(service):
    visitor = member(service)
    old = visitor.get("keys")["keys"][0]
    fresh = visitor.post(f"keys/{old['id']}/regenerate", {"overlap": "1h"}, 201)
    assert [extract(service, k).status_code for k in (visitor.key, fresh["api_key"])] == [200, 200], "both, during the overlap"
    ends = next(k for k in visitor.get("keys")["keys"] if k["id"] == old["id"])["expires_at"]
    left = datetime.datetime.fromisoformat(ends.replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
    assert 3500 < left.total_seconds() <= 3600
    command("key", "revoke", old["id"], "--overlap", "1", data=service.data, store=service.store)  # the hour shortened to a second
    time.sleep(2.5)
    assert [extract(service, k).status_code for k in (visitor.key, fresh["api_key"])] == [401, 200], "after the overlap"
    last = visitor.post(f"keys/{fresh['id']}/regenerate", {"overlap": "none"}, 201)
    assert [extract(service, k["api_key"]).status_code for k in (fresh, last)] == [401, 200]
    assert visitor.call("POST", f"keys/{last['id']}/regenerate", {"overlap": "2h"}).status_code == 400
    visitor.post(f"keys/{last['id']}/regenerate", {"overlap": "24h"}, 201)
    ends = next(k for k in visitor.get("keys")["keys"] if k["id"] == last["id"])["expires_at"]
    left = datetime.datetime.fromisoformat(ends.replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
    assert 86000 < left.total_seconds() <= 86400


def test_others_things_are_not_found(service):
    owner, other = member(service), member(service)
    key = owner.get("keys")["keys"][0]["id"]
    assert other.call("POST", f"keys/{key}/regenerate", {"overlap": "none"}).status_code == 404
    assert other.call("DELETE", f"keys/{key}").status_code == 404
    assert extract(service, owner.key).status_code == 200


def test_usage_and_jobs(service):
    visitor = member(service, credits=2)
    for _ in range(2):
        answer = visitor.call("POST", "extract", INVOICE)
        assert answer.status_code == 200 and list(answer.json()["extracted_data"]) == list(INVOICE["template"])
    assert answer.headers["X-Credits-Remaining"] == "0"
    assert visitor.call("POST", "extract", INVOICE).status_code == 402
    today = visitor.get("usage?days=7")["days"]
    assert len(today) == 7 and today[-1]["date"] == datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    assert (today[-1]["requests"], today[-1]["credits"], today[-1]["errors"]) == (2, 2, 0)
    assert today[-1]["p50_ms"] <= today[-1]["p95_ms"] and today[0]["p50_ms"] is None
    jobs = visitor.get("jobs?limit=1")["jobs"]
    assert [(j["job_id"], j["status"], j["credits_charged"]) for j in jobs] == [(answer.json()["job_id"], "success", 1)]
    assert "2847" not in str(visitor.get("jobs")), "no document text"
    assert visitor.get("session")["low_credits"]


def test_what_few_credits_are_is_the_operators_choice(make_service):
    service = make_service(*UNLIMITED, "--low-credits", "5")
    assert [member(service, credits=n).get("session")["low_credits"] for n in (4, 5)] == [True, False]


def test_demo(make_service):
    service = make_service(*UNLIMITED, "--demo-limit", "3")
    post = lambda example: requests.post(f"{service.url}/web/v1/demo", json={"example": example}, timeout=60)
    assert post("nothing").json()["error"]["code"] == "not_found"
    answers = [post("invoice") for _ in range(4)]
    assert [a.status_code for a in answers] == [200] * 3 + [429] and int(answers[-1].headers["Retry-After"]) <= 60
    assert "invoice_number" in answers[0].json()["extracted_data"] and answers[0].json()["metadata"]["credits_charged"] == 0


def test_extract_needs_the_csrf_token(service):
    visitor = Visitor(service)
    assert visitor.call("POST", "extract", INVOICE).status_code == 401
    assert member(service).call("POST", "extract", INVOICE, {"X-CSRF-Token": ""}).status_code == 403
