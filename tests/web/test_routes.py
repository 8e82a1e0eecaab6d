"""The same questions put to every route of the service: is it covered here, does it ask who calls, does it refuse forged
calls, does it keep others' things to itself, does it keep secrets out of what it writes down."""

import json
import uuid

import pytest
import requests
from pages import Visitor, member, token_of, until
from routes import KEY, OBJECTS, ROUTES, SESSION, call, documented, served
from service import INVOICE, UNLIMITED, command, extract

IDS = {route: " ".join(route) for route in ROUTES}
CHANGING = [route for route in ROUTES if ROUTES[route].changes]
OF_OBJECTS = [route for route in ROUTES if ROUTES[route].object]


def each(routes):
    return pytest.mark.parametrize("method, path", routes, ids=[IDS[r] for r in routes])


def code(answer):
    return answer.json()["error"]["code"]


def test_every_route_is_in_the_table():
    assert documented() == set(ROUTES), "documented and not in tests/web/routes.py, or the other way round"
    assert served() == set(ROUTES), "served and not in tests/web/routes.py, or the other way round"


@pytest.fixture(scope="module")
def owner(service):
    """Somebody with one of everything."""
    somebody = member(service)
    somebody.objects = {kind: make(somebody) for kind, make in OBJECTS.items()}
    return somebody


@pytest.fixture(scope="module")
def stranger(service):
    return member(service)


@each(list(ROUTES))
def test_good_call(service, method, path):
    """The calls of the table are answered as it says: what the other tests find refused is not refused for another reason."""
    route, somebody = ROUTES[method, path], member(service)
    id = OBJECTS[route.object](somebody) if route.object else ""
    answer = call(somebody, method, path, route, id)
    assert answer.status_code == route.status, answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if not path.startswith("/openapi"):
        assert answer.headers["Cache-Control"] == "no-store"
    if method == "GET":
        head = somebody.http.head(service.url + path.replace("{id}", id), headers={"Authorization": f"Bearer {somebody.key}"})
        assert head.status_code == route.status and not head.content


@each([r for r in ROUTES if ROUTES[r].who in (KEY, SESSION)])
def test_nobody_is_let_in(service, owner, method, path):
    route = ROUTES[method, path]
    nobody = Visitor(service)
    nobody.key = ""
    answer = call(nobody, method, path, route, owner.objects.get(route.object, ""))
    assert answer.status_code == 401, answer.text
    assert code(answer) == ("api_key_malformed" if route.who == KEY else "not_signed_in")
    if route.who == KEY:  # a session's cookie is no key, so no page can use the API in a visitor's name
        assert call(owner, method, path, route, owner.objects.get(route.object, ""), {"Authorization": None}).status_code == 401
    else:  # nor is a key a session
        bearer = {"Authorization": f"Bearer {owner.key}"}
        assert call(nobody, method, path, route, owner.objects.get(route.object, ""), bearer).status_code == 401


def state_of(visitor):
    return [visitor.get(path) for path in ("session", "keys", "webhooks", "billing/ledger", "jobs")]


@each(CHANGING)
def test_forged_calls(service, owner, stranger, method, path):
    """Without the token, with another's, with the cookie's own value, and as a form of another site would send it."""
    route, id = ROUTES[method, path], owner.objects.get(ROUTES[method, path].object, "")
    before = state_of(owner)
    for token in (None, "", "x" * 43, stranger.csrf, owner.cookie, owner.csrf[:-1], owner.csrf + "x"):
        answer = call(owner, method, path, route, id, {"X-CSRF-Token": token, "Origin": "https://evil.example"})
        assert (answer.status_code, code(answer)) == (403, "csrf_token_invalid"), (token, answer.text)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = call(owner, method, path, route, id, {"X-CSRF-Token": None, "Content-Type": kind})
        assert answer.status_code in (403, 415), answer.text
    asked = owner.http.options(service.url + path.replace("{id}", id), headers={"Origin": "https://evil.example"})
    assert not [name for name in asked.headers if name.startswith("Access-Control-")], "no other site may ask"
    assert state_of(owner) == before


@each(CHANGING)
def test_nothing_changes_by_get(service, owner, method, path):
    id = owner.objects.get(ROUTES[method, path].object, "")
    before = state_of(owner)
    answer = call(owner, "GET", path, ROUTES[method, path], id)
    assert answer.status_code == (200 if ("GET", path) in ROUTES else 405)
    assert state_of(owner) == before


@each(OF_OBJECTS)
def test_others_things_are_not_there(owner, stranger, method, path):
    """404, in the very words in which a thing that never was is not found."""
    route = ROUTES[method, path]
    theirs = owner.objects[route.object]
    never = str(uuid.uuid4()) if route.object == "job" else "999999999"
    found, missing = (call(stranger, method, path, route, id) for id in (theirs, never))
    assert found.status_code == missing.status_code == 404, found.text
    told, expected = ({k: v for k, v in a.json()["error"].items() if k != "request_id"} for a in (found, missing))
    assert json.dumps(told).replace(theirs, "ID") == json.dumps(expected).replace(never, "ID")
    for odd in ("0", "-1", "1e3", "0x1", "9" * 30, "%2e%2e", "'", "%00", theirs + " "):
        assert call(stranger, method, path, route, odd).status_code in (400, 404), odd
    assert call(owner, "GET", "/web/v1/keys", ROUTES["GET", "/web/v1/keys"]).status_code == 200
    listed = owner.get("keys")["keys"] + owner.get("webhooks")["endpoints"] + owner.get("jobs")["jobs"]
    assert theirs in [row.get("id") or row["job_id"] for row in listed if not row.get("revoked_at") and not row.get("expires_at")]


@each([r for r in ROUTES if r[0] == "GET" and ROUTES[r].who == SESSION and not ROUTES[r].object])
def test_lists_hold_ones_own_only(owner, stranger, method, path):
    route = ROUTES[method, path]
    answer, owners = call(stranger, method, path, route), call(owner, method, path, route)
    assert owner.account_id not in answer.text and "theirs" not in answer.text
    for piece in route.pieces:
        mine, theirs = ({row.get("id") or row["job_id"] for row in a.json()[piece]} for a in (answer, owners))
        assert theirs and not theirs & mine


# ---- secrets ----------------------------------------------------------------------------------------------------------


def planted(name, secrets):
    """A fresh secret of 43 characters, as long as cookies and tokens, noted down under its name."""
    secrets[name] = f"SECRET{uuid.uuid4().hex}{uuid.uuid4().hex}"[:43]
    return secrets[name]


def plant_everywhere(visitor, secrets):
    """Every route with secrets in all that a caller sends; what becomes of the call does not matter."""
    for (method, path), route in ROUTES.items():
        name = IDS[method, path]
        if (method, path) == ("DELETE", "/web/v1/session"):
            continue  # it would end the others' session
        body = {key: planted(f"{name}: {key}", secrets) for key in route.body or {}}
        body["template"] = {planted(f"{name}: template", secrets): planted(f"{name}: description", secrets)}
        for sent in ({**(route.body or {}), **body}, {planted(f"{name}: member", secrets): 1}, planted(f"{name}: text", secrets)):
            headers = {
                "Authorization": f"Bearer {planted(f'{name}: Authorization', secrets)}",
                "X-CSRF-Token": visitor.csrf if route.who == SESSION else planted(f"{name}: X-CSRF-Token", secrets),
                "Stripe-Signature": planted(f"{name}: Stripe-Signature", secrets),
                "Idempotency-Key": planted(f"{name}: Idempotency-Key", secrets),
                "User-Agent": planted(f"{name}: User-Agent", secrets),
                "Referer": f"https://x.example/{planted(f'{name}: Referer', secrets)}",
                "X-Forwarded-For": planted(f"{name}: X-Forwarded-For", secrets),
            }
            cookies = {"other": planted(f"{name}: other cookie", secrets)}
            url = visitor.service.url + path.replace("{id}", "1") + f"?token={planted(f'{name}: query', secrets)}"
            visitor.http.request(method, url, json=sent, headers=headers, cookies=cookies, timeout=60)
        cookie = {"Cookie": f"refractr_session={planted(f'{name}: session cookie', secrets)}"}
        requests.request(method, visitor.service.url + path.replace("{id}", "1"), json=route.body, headers=cookie, timeout=60)


def live_secrets(service, secrets):
    """A person's real secrets, each used well and badly."""
    email = f"{planted('e-mail', secrets)}@example.org".lower()
    secrets["e-mail"] = secrets["e-mail"].lower()
    made = json.loads(command("account", "create", "m", "--credits", "9", "--email", email, data=service.data))
    visitor = Visitor(service)
    visitor.enter("signin-link", {"token": token_of(made)})
    secrets["link token"], secrets["api key"], visitor.key = token_of(made), made["api_key"], made["api_key"]
    password = planted("password", secrets)
    visitor.post("password", {"password": password})
    secrets["cookie"], secrets["csrf token"] = visitor.cookie, visitor.csrf
    Visitor(service).enter("session", {"email": email, "password": password})
    Visitor(service).enter("session", {"email": email, "password": planted("wrong password", secrets)})
    secrets["second key"] = visitor.post("keys", {"name": planted("key name", secrets)}, 201)["api_key"]
    hook = visitor.post("webhooks", {"url": f"https://127.0.0.1:9/{planted('webhook path', secrets)}"}, 201)
    secrets["webhook secret"] = hook["secret"]
    visitor.post(f"webhooks/{hook['id']}/test", None, 202)
    until(lambda: visitor.get(f"webhooks/{hook['id']}/deliveries")["deliveries"][-1]["attempts"])
    document = f"{planted('document', secrets)} is the number of invoice 7"
    for body in ({**INVOICE, "document_text": document}, {**INVOICE, "document_text": document, "template": {planted("field", secrets): None}}):
        assert extract(service, visitor.key, body).status_code == 200
        visitor.call("POST", "extract", body)
    requests.get(f"{service.url}/api/v1/{visitor.key}/", timeout=60)  # a key in the path by mistake
    extract(service, visitor.key[:-1] + ("A" if visitor.key[-1] != "A" else "B"))
    return visitor


def test_secrets_are_written_down_nowhere(make_service, tmp_path):
    (tmp_path / "stripe").write_text("sk_live_SECRETofthestripekey")
    (tmp_path / "signing").write_text("whsec_SECRETofthestripesigning")
    service = make_service(*UNLIMITED, "--log-level", "debug", "--signup", "--trust-proxy", "--webhook-retries", "0", "--signin-tries", "1000",
                           "--stripe-key-file", str(tmp_path / "stripe"), "--stripe-webhook-secret-file", str(tmp_path / "signing"),
                           "--stripe-base-url", "http://127.0.0.1:9")
    secrets = {"stripe key": "SECRETofthestripekey", "stripe signing secret": "SECRETofthestripesigning"}
    visitor = live_secrets(service, secrets)
    plant_everywhere(visitor, secrets)
    metrics = requests.get(f"{service.url}/metrics", timeout=60).text
    service.stop()
    log = service.log.read_text()
    assert log.count('"msg":"request"') > 3 * len(ROUTES), "the requests were logged"
    assert "not delivered" in log, "the webhook was tried"
    assert [name for name, secret in secrets.items() if secret in log] == []
    assert [name for name, secret in secrets.items() if secret in metrics] == []


def test_what_the_disk_holds_opens_no_door(make_service):
    """A stolen copy of the database: no key, cookie, password or token can be read from it, no document of a done job."""
    service, secrets = make_service(*UNLIMITED), {}
    live_secrets(service, secrets)
    doors = ("api key", "second key", "cookie", "csrf token", "password", "wrong password", "link token", "document")
    service.stop()
    files = {file.name: file.read_bytes() for file in service.data.iterdir() if file.is_file()}
    assert secrets["key name"].encode() in b"".join(files.values()), "names can be read, so the search works"
    assert [(name, file) for name in doors for file, held in files.items() if secrets[name].encode() in held] == []
