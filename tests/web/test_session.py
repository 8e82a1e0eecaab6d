"""Signing in to the pages: by link, by password; throttling, CSRF, cookies, what belongs to others."""

import json
import uuid

import pytest
import requests
from pages import Visitor, member, token_of
from service import UNLIMITED, command

STORES = ("sqlite", "postgresql")
PASSWORD = "a horse, a boat"


def address():
    return f"{uuid.uuid4().hex}@example.org"


def code(answer):
    return answer.json()["error"]["code"]


def test_link_works_once(service):
    made = json.loads(command("account", "create", "once", data=service.data, store=service.store))
    first, second = Visitor(service), Visitor(service)
    answer = first.enter("signin-link", {"token": token_of(made)}).json()
    assert answer["signed_in"] and answer["account_id"] == made["account_id"] and not answer["has_password"]
    refused = second.enter("signin-link", {"token": token_of(made)})
    assert (refused.status_code, code(refused)) == (401, "invalid_credentials")
    again = json.loads(command("account", "link", made["account_id"], "--public-url", "https://r.example", data=service.data, store=service.store))
    assert again["signin_url"].startswith("https://r.example/signin/#token=")
    assert second.enter("signin-link", {"token": token_of(again)}).json()["account_id"] == made["account_id"]


def test_password_then_sign_in(service):
    email = address()
    first = member(service, email=email)
    other = member(service)
    assert first.call("POST", "password", {"password": "short"}).status_code == 400
    first.post("password", {"password": PASSWORD})
    assert first.get("session")["has_password"]
    wrong = first.call("POST", "password", {"password": "another one", "current_password": "wrong"})
    assert code(wrong) == "invalid_credentials"
    second = Visitor(service)
    assert code(second.enter("session", {"email": email, "password": "wrong"})) == "invalid_credentials"
    assert code(second.enter("session", {"email": address(), "password": PASSWORD})) == "invalid_credentials"
    answer = second.enter("session", {"email": f" {email.upper()} ", "password": PASSWORD})
    assert answer.status_code == 200 and answer.json()["account_id"] == first.account_id
    before = second.cookie
    second.post("password", {"password": "a new password", "current_password": PASSWORD})
    assert second.cookie != before
    assert not first.get("session")["signed_in"], "a new password ends the other sessions"
    assert second.get("session")["signed_in"]
    taken = other.call("POST", "password", {"password": PASSWORD, "email": email})
    assert taken.status_code == 400 and taken.json()["error"]["param"] == "email"


def test_cookie_changes_at_sign_in_and_dies_at_sign_out(service):
    made = json.loads(command("account", "create", "fixation", data=service.data, store=service.store))
    visitor = Visitor(service)
    planted, token = visitor.cookie, visitor.csrf
    answer = visitor.enter("signin-link", {"token": token_of(made)})
    cookie = answer.headers["Set-Cookie"]
    assert visitor.cookie != planted and visitor.csrf != token
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie and "Secure" not in cookie
    assert f"Max-Age={14 * 86400}" in cookie
    assert requests.get(f"{service.url}/web/v1/keys", cookies={"refractr_session": planted}).status_code == 401
    alive = visitor.cookie
    assert visitor.call("DELETE", "session").json() == {"signed_in": False}
    stolen = requests.get(f"{service.url}/web/v1/keys", cookies={"refractr_session": alive})
    assert (stolen.status_code, code(stolen)) == (401, "not_signed_in")


def test_cookie_is_secure_behind_tls(make_service):
    service = make_service(*UNLIMITED, "--trust-proxy")
    tls = {"X-Forwarded-Proto": "https"}
    told = requests.get(f"{service.url}/web/v1/session", headers=tls)
    cookie = told.headers["Set-Cookie"]
    assert "; Secure" in cookie and "; Path=/" in cookie and "Domain" not in cookie
    name, value = cookie.split(";")[0].split("=", 1)
    assert name == "__Host-refractr_session"
    csrf = {"X-CSRF-Token": told.json()["csrf_token"], **tls}
    body = {"token": "x" * 43}
    ask = lambda cookies: requests.post(f"{service.url}/web/v1/signin-link", json=body, cookies=cookies, headers=csrf)
    assert ask({name: value}).status_code == 401, "the token is wrong, the cookie is right"
    planted = ask({"refractr_session": value})
    assert (planted.status_code, code(planted)) == (403, "csrf_token_invalid"), "a name any sister domain may set"
    assert "Secure" not in requests.get(f"{service.url}/web/v1/session").headers["Set-Cookie"]


def test_common_passwords_are_refused(service):
    refused = member(service, email=address()).call("POST", "password", {"password": "qwertyuiop"})
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "password"
    assert "common" in refused.json()["error"]["message"]


def test_sign_out_clears_what_the_browser_kept(service):
    answer = member(service).call("DELETE", "session")
    assert answer.headers["Clear-Site-Data"] == '"cache"' and "Max-Age=0" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("token", [None, "", "x" * 43, "short"])
def test_csrf(service, token):
    visitor, other = member(service), member(service)
    for given in (token, other.csrf):
        refused = visitor.call("POST", "keys", {"name": "forged"}, {"X-CSRF-Token": given})
        assert (refused.status_code, code(refused)) == (403, "csrf_token_invalid")
    assert [k["name"] for k in visitor.get("keys")["keys"]] == ["default"]


def test_sign_in_is_throttled(make_service):
    service = make_service(*UNLIMITED, "--signin-tries", "3")
    email = address()
    member(service, email=email).post("password", {"password": PASSWORD})
    visitor = Visitor(service)
    codes = [visitor.enter("session", {"email": email, "password": "wrong"}).status_code for _ in range(3)]
    refused = visitor.enter("session", {"email": email, "password": PASSWORD})
    assert codes == [401] * 3 and refused.status_code == 429, "the right password too"
    assert 1 <= int(refused.headers["Retry-After"]) <= 900
    codes = [visitor.enter("session", {"email": address(), "password": "wrong"}).status_code for _ in range(13)]
    assert codes.count(429) == 2, "15 from one client, 4 of them above, whatever the address"


def test_sign_up(make_service, service):
    closed = Visitor(service)
    body = {"email": address(), "password": PASSWORD, "name": "New"}
    refused = closed.enter("signup", body)
    assert (refused.status_code, code(refused)) == (403, "signup_closed") and not closed.get("session")["signup_open"]
    opened = make_service(*UNLIMITED, "--signup", "--contact", "ops@example.org")
    visitor = Visitor(opened)
    told = visitor.get("session")
    assert told["signup_open"] and told["contact"] == "ops@example.org" and not told["signed_in"]
    answer = visitor.enter("signup", body).json()
    assert answer["signed_in"] and answer["email"] == body["email"] and answer["credits"] == 0 and answer["low_credits"]
    assert visitor.get("keys")["keys"] == []
    assert code(Visitor(opened).enter("signup", body)) == "invalid_value"
    assert Visitor(opened).enter("session", body).status_code == 200


@pytest.mark.parametrize("path", ["keys", "usage", "jobs", "webhooks", "billing", "billing/ledger", "billing/ledger.csv"])
def test_nothing_without_a_session(service, path):
    refused = Visitor(service).call("GET", path)
    assert (refused.status_code, code(refused)) == (401, "not_signed_in")
