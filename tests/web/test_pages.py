"""What every page and file of the program carries, and what clients may claim about themselves."""

import re

import pytest
import requests
from pages import Visitor
from service import ROOT, UNLIMITED

FILES = sorted(p for p in (ROOT / "web").rglob("*") if p.is_file())
URLS = [p.relative_to(ROOT / "web").as_posix().removesuffix("index.html") for p in FILES]
PAGES = {url: file.read_text() for url, file in zip(URLS, FILES) if file.suffix == ".html"}


@pytest.mark.parametrize("url", URLS)
def test_headers(service, url):
    answer = requests.get(f"{service.url}/{url}", timeout=60)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert answer.status_code == 200
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert answer.headers["X-Frame-Options"] == "DENY" and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin" and "Set-Cookie" not in answer.headers
    kind = answer.headers["Content-Type"]
    assert kind in ("application/json", "image/png") or kind.endswith("; charset=utf-8"), kind


def test_errors_are_no_pages(service):
    answer = requests.get(f"{service.url}/<script>alert(1)</script>", timeout=60)
    assert answer.status_code == 404 and answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and "<script>" not in answer.text


@pytest.mark.parametrize("url", PAGES)
def test_nothing_is_written_into_the_pages(url):
    """Script, style and handlers come as files: what is written into a page is never trusted, as the policy says."""
    html = PAGES[url]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|<base|<iframe", html)
    assert not re.search(r'(src|href|action)="(https?:)?//(?!github\.com|refractr)', "".join(re.findall(r"<(?:script|link|img|form)[^>]*>", html)))


def test_password_fields():
    """Hidden while typed, open to paste and to password managers."""
    fields = [field for html in PAGES.values() for field in re.findall(r"<input[^>]*>", html) if "password" in field]
    named = [field for field in fields if 'autocomplete="username"' not in field and 'id="key"' not in field]
    assert len(named) >= 3
    assert all('type="password"' in field and re.search('autocomplete="(current|new)-password"', field) for field in named), named
    scripts = "".join(file.read_text() for file in FILES if file.suffix == ".js")
    assert "onpaste" not in scripts and "'paste'" not in scripts


@pytest.mark.parametrize("path", ["/.git/config", "/.env", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/static/../../etc/passwd", "/static/",
                                  "/static/%2e%2e/index.html", "/refractr.db", "/server-status", "/web/v1/", "/index.html~"])
def test_nothing_else_is_served(service, path):
    request = requests.Request("GET", service.url).prepare()
    request.url = service.url + path  # as it stands: the library would tidy it up
    with requests.Session() as session:
        assert session.send(request, timeout=60).status_code in (400, 404)


def wrong_tries(service, **headers):
    visitor = Visitor(service)
    body = {"email": "somebody@example.org", "password": "not the one"}
    return [visitor.call("POST", "session", {**body, "email": f"{i}@example.org"}, {k.replace("_", "-"): v.format(i) for k, v in headers.items()}).status_code
            for i in range(7)]


def test_addresses_that_clients_claim(make_service):
    """Five tries per client here: a header of the client's own makes no new client of him, nor does an IPv6 network."""
    options = [*UNLIMITED, "--signin-tries", "1"]
    assert wrong_tries(make_service(*options), X_Forwarded_For="198.51.100.{}").count(429) == 2
    behind = lambda: make_service(*options, "--trust-proxy")
    assert wrong_tries(behind(), X_Forwarded_For="198.51.100.{}, 203.0.113.9").count(429) == 2, "only the last address is the proxy's word"
    assert wrong_tries(behind(), X_Forwarded_For="2001:db8:5:5::{}").count(429) == 2
    assert wrong_tries(behind(), X_Forwarded_For="198.51.100.{}").count(429) == 0
