"""A browser's side of the pages' calls: one cookie jar, the CSRF token, and an account to sign in to."""

import json
import time

import requests
from service import command


class Visitor:
    def __init__(self, service):
        self.service = service
        self.http = requests.Session()
        self.csrf = self.call("GET", "session").json()["csrf_token"]

    @property
    def cookie(self):
        return self.http.cookies.get("refractr_session")

    def call(self, method, path, body=None, headers=None):
        sent = {} if method == "GET" else {"X-CSRF-Token": self.csrf}
        return self.http.request(method, f"{self.service.url}/web/v1/{path}", json=body, headers={**sent, **(headers or {})}, timeout=60)

    def remember(self, answer):
        """A new session has a new CSRF token, told by the answer that brings its cookie."""
        if answer.ok and "Set-Cookie" in answer.headers:
            self.csrf = answer.json()["csrf_token"]
        return answer

    def get(self, path):
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, body=None, status=200):
        answer = self.remember(self.call("POST", path, body))
        assert answer.status_code == status, answer.text
        return answer.json()

    def enter(self, path, body):
        """A call that signs in; returns its answer."""
        return self.remember(self.call("POST", path, body))


def token_of(made):
    return made["signin_url"].split("token=")[1]


def member(service, credits=1000, email=None):
    """A fresh account and a visitor signed in to it by its one-time link; with `.key` and `.account_id`."""
    options = ["--email", email] if email else []
    made = json.loads(command("account", "create", "member", "--credits", str(credits), *options, data=service.data, store=service.store))
    visitor = Visitor(service)
    answer = visitor.enter("signin-link", {"token": token_of(made)})
    assert answer.status_code == 200, answer.text
    visitor.key, visitor.account_id = made["api_key"], made["account_id"]
    return visitor


def until(true, seconds=15):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
