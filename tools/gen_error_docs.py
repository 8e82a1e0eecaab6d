#!/usr/bin/env python3
"""Writes the table of error codes into web/docs/index.html from ERROR_TABLE in src/base/error.h.

Every code gets a row with the anchor #error-<code>, which `doc_url` in an error leads to. The words for each code stand
below; a code without words, or words without a code, is an error, so that program and page never part.

    tools/gen_error_docs.py          write the table
    tools/gen_error_docs.py --check  exit 1 when the page does not hold the table as it should be (run by the tests)
"""

import argparse
import html
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
HEADER = ROOT / "src" / "base" / "error.h"
PAGE = ROOT / "web" / "docs" / "index.html"
BEGIN = "<!-- errors: made by tools/gen_error_docs.py from src/base/error.h -->\n"
END = "<!-- /errors -->"

# code: (what happened, what to do)
WORDS = {
    "invalid_json": ("The body is not JSON.", "The message names line and column. Let a JSON library write the body."),
    "duplicate_key": ("An object has the same key twice.", "Keep one of them; which one was meant cannot be known."),
    "missing_field": ("A required member is missing.", "Add the member named in <code>param</code>."),
    "wrong_type": ("A member has the wrong JSON type.", "The message says what is expected and what was found."),
    "unknown_field": ("A member is not known.", "Check its spelling; unknown members are never ignored."),
    "invalid_value": ("A member or header has a value that is not allowed.", "The message names the allowed values."),
    "document_empty": ("<code>document_text</code> is empty.", "Send at least one character."),
    "document_too_long": ("<code>document_text</code> has more than 50,000 code points.",
                          "Split the document, or leave out what cannot hold the answer."),
    "template_invalid": ("The template has a leaf or key of a form that is not known.",
                         "See <a href=\"#templates\">templates</a>; <code>param</code> is the path."),
    "template_too_complex": ("The template is beyond a limit on fields, depth or lengths.",
                             "The message names the limit and what was found; ask in several calls."),
    "malformed_request": ("The HTTP request itself is ambiguous or broken.", "Use an ordinary HTTP client or proxy."),
    "idempotency_key_reused": ("This <code>Idempotency-Key</code> was used with another body.",
                               "Use a new key for each new request."),
    "api_key_missing": ("There is no <code>Authorization: Bearer</code> header.", "Send your key."),
    "api_key_malformed": ("What was sent does not look like a key.", "Keys start with <code>dm_</code>; copy it whole."),
    "api_key_invalid": ("The key is unknown, revoked or expired.", "Make a new one on the <a href=\"/dashboard/\">dashboard</a>."),
    "insufficient_credits": ("The account has no credits left.", "Get more at <a href=\"/billing/\">billing</a>."),
    "forbidden": ("This is not allowed for who is asking.", "Sign in again, or ask the operator."),
    "not_found": ("There is nothing at this address.", "Check the path against the <a href=\"#reference\">reference</a>."),
    "job_not_found": ("There is no such job of this account, or it was kept its time.",
                      "Results are kept for 24 hours; poll with the account that made the job."),
    "method_not_allowed": ("The address exists, but not with this method.", "The header <code>Allow</code> lists the methods."),
    "idempotent_request_in_progress": ("The first request with this <code>Idempotency-Key</code> still runs.",
                                       "Wait a moment and send it again."),
    "body_too_large": ("The body is larger than 1 MiB.", "50,000 code points fit; leave out the rest."),
    "unsupported_media_type": ("The body is not declared as JSON.", "Send <code>Content-Type: application/json</code>."),
    "rate_limit_exceeded": ("Too many requests in the last 60 seconds.", "Wait for <code>Retry-After</code> seconds."),
    "internal_error": ("The service failed.", "Try again; tell the operator the <code>request_id</code>."),
    "engine_unavailable": ("No engine is ready to read documents.", "Try again after <code>Retry-After</code> seconds."),
    "queue_full": ("More work is waiting than the service accepts.", "Try again after <code>Retry-After</code> seconds."),
    "store_unavailable": ("The database cannot be reached or written.", "Try again after <code>Retry-After</code> seconds."),
    "shutting_down": ("The service is stopping.", "Try again after <code>Retry-After</code> seconds; another will answer."),
    "deadline_exceeded": ("The answer took longer than 30 seconds.", "The job goes on: poll its <code>job_id</code>."),
    "invalid_credentials": ("E-mail address and password do not match.", "Try again, or ask the operator for a sign-in link."),
    "not_signed_in": ("A call of the pages came without a living session.", "Sign in on the <a href=\"/dashboard/\">dashboard</a>."),
    "csrf_token_invalid": ("A call of the pages came without its CSRF token.", "Reload the page."),
    "signature_invalid": ("A payment event's signature does not fit.", "Check the webhook's signing secret."),
    "signup_closed": ("The operator gives out accounts personally.", "The sign-in page names whom to ask."),
    "payments_unavailable": ("No payment provider is set up here.", "<a href=\"/billing/\">Billing</a> says how to get credits."),
}


def codes():
    """[(code, type, status)] from the X-macro."""
    table = re.findall(r'X\(ERR_\w+,\s*"(\w+)",\s*"(\w+)",\s*(\d+)\)', HEADER.read_text())
    if not table:
        sys.exit(f"{HEADER}: no ERROR_TABLE found")
    return table


def row(code, kind, status):
    what, todo = WORDS[code]
    return (f'<tr id="error-{html.escape(code)}"><td><code>{html.escape(code)}</code></td><td class="num">{status}</td>'
            f"<td>{what} <span class=\"quiet\">{todo}</span></td></tr>\n")


def table():
    known = codes()
    missing = [code for code, _, _ in known if code not in WORDS]
    if missing:
        sys.exit(f"{__file__}: no words for {', '.join(missing)}; add them to WORDS")
    rows = "".join(row(*c) for c in known)
    return ('<div class="scroll"><table class="errors">\n<thead><tr><th scope="col">Code</th><th scope="col" class="num">Status'
            f'</th><th scope="col">What happened, what to do</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when the page is out of date")
    arguments = parser.parse_args()
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    fresh = before + BEGIN + table() + END + rest.split(END, 1)[1]
    if arguments.check and fresh != page:
        sys.exit("web/docs/index.html is out of date: run tools/gen_error_docs.py")
    if not arguments.check:
        PAGE.write_text(fresh)


if __name__ == "__main__":
    main()
