"""Every route of the service as a table: who may call it, what it changes, what a good call looks like.

docs/openapi.json and docs/web-api.md say which routes there are; test_routes.py fails when a route is missing here, so a
new one cannot be added without saying how it is protected."""

import dataclasses
import json
import re

from service import INVOICE, ROOT, extract

NOBODY, KEY, VISITOR, SESSION = "nobody", "an API key", "a cookie", "a session"


@dataclasses.dataclass
class Route:
    who: str  # what the caller must have
    status: int = 200  # of the good call
    changes: bool = False  # by a cookie: needs the CSRF token
    body: object = None  # JSON of the good call
    object: str = ""  # kind of the thing {id} names: a key of `OBJECTS`
    pieces: tuple = ()  # members of the answer that list things of the account


def documented():
    """(method, path) of every documented route; a part of the path in braces is {id}."""
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    routes = {(method.upper(), path) for path, methods in paths.items() for method in methods if method in ("get", "post", "put", "patch", "delete")}
    for line in (ROOT / "docs" / "web-api.md").read_text().splitlines():
        row = re.match(r"\| (GET|POST|PUT|PATCH|DELETE) (/[^ ?#]*)", line)
        if row and row[2] != "/signin/":  # a page
            routes.add(row.groups())
    return {(method, re.sub(r"{\w+}", "{id}", path)) for method, path in routes}


def served():
    """(method, path) of every row of the program's own table, and what it embeds beside the pages."""
    rows = re.findall(r'\.method = "(\w+)", \.path = "([^"]+)"', (ROOT / "src" / "api" / "api.c").read_text())
    return {(method, re.sub(r"{\w+}", "{id}", path)) for method, path in rows} | {("GET", "/openapi.json")}


ROUTES = {
    ("POST", "/api/v1/extract/"): Route(KEY, body=INVOICE),
    ("GET", "/api/v1/extract/{id}/"): Route(KEY, object="job"),
    ("GET", "/api/v1/account/"): Route(KEY),
    ("GET", "/web/v1/session"): Route(VISITOR),
    ("POST", "/web/v1/session"): Route(VISITOR, 401, changes=True, body={"email": "nobody@example.org", "password": "a wrong one"}),
    ("DELETE", "/web/v1/session"): Route(VISITOR, changes=True),
    ("POST", "/web/v1/signup"): Route(VISITOR, 403, changes=True, body={"email": "n@example.org", "password": "a new one", "name": "n"}),
    ("POST", "/web/v1/signin-link"): Route(VISITOR, 401, changes=True, body={"token": "x" * 43}),
    ("POST", "/web/v1/password"): Route(SESSION, 400, changes=True, body={"password": "short"}),
    ("GET", "/web/v1/keys"): Route(SESSION, pieces=("keys",)),
    ("POST", "/web/v1/keys"): Route(SESSION, 201, changes=True, body={"name": "made"}),
    ("POST", "/web/v1/keys/{id}/regenerate"): Route(SESSION, 201, changes=True, body={"overlap": "1h"}, object="key"),
    ("DELETE", "/web/v1/keys/{id}"): Route(SESSION, changes=True, object="key"),
    ("GET", "/web/v1/usage"): Route(SESSION),
    ("GET", "/web/v1/jobs"): Route(SESSION, pieces=("jobs",)),
    ("POST", "/web/v1/extract"): Route(SESSION, changes=True, body=INVOICE),
    ("POST", "/web/v1/demo"): Route(NOBODY, body={"example": "invoice"}),
    ("GET", "/web/v1/webhooks"): Route(SESSION, pieces=("endpoints",)),
    ("POST", "/web/v1/webhooks"): Route(SESSION, 201, changes=True, body={"url": "https://hooks.example/made"}),
    ("DELETE", "/web/v1/webhooks/{id}"): Route(SESSION, changes=True, object="endpoint"),
    ("POST", "/web/v1/webhooks/{id}/test"): Route(SESSION, 202, changes=True, object="endpoint"),
    ("GET", "/web/v1/webhooks/{id}/deliveries"): Route(SESSION, object="endpoint"),
    ("GET", "/web/v1/billing"): Route(SESSION),
    ("GET", "/web/v1/billing/ledger"): Route(SESSION, pieces=("entries",)),
    ("GET", "/web/v1/billing/ledger.csv"): Route(SESSION),
    ("POST", "/web/v1/billing/checkout"): Route(SESSION, 503, changes=True, body={"pack": "starter"}),
    ("POST", "/stripe/webhook"): Route(NOBODY, 503, body={}),  # Stripe signs its events; not set up in these tests
    ("GET", "/livez"): Route(NOBODY),
    ("GET", "/readyz"): Route(NOBODY),
    ("GET", "/metrics"): Route(NOBODY),
    ("GET", "/openapi.json"): Route(NOBODY),
}

# kind -> makes one for this member (pages.member), returns its id
OBJECTS = {
    "job": lambda member: extract(member.service, member.key).json()["job_id"],
    "key": lambda member: member.post("keys", {"name": "theirs"}, 201)["id"],
    "endpoint": lambda member: member.post("webhooks", {"url": "https://hooks.example/theirs"}, 201)["id"],
}


def call(visitor, method, path, route, id="", headers=None):
    """The good call of a route with what its caller must have; `headers` replace those (None: not sent)."""
    sent = {}
    if route.who == KEY:
        sent["Authorization"] = f"Bearer {visitor.key}"
    if route.changes:
        sent["X-CSRF-Token"] = visitor.csrf
    sent.update(headers or {})
    url = visitor.service.url + path.replace("{id}", id)
    json_body = route.body if route.body is not None else None
    return visitor.http.request(method, url, json=json_body, headers=sent, timeout=60)
