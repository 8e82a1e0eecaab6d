"""Fixtures: scripted upstreams, and the program in front of them."""

import time

import pytest
import requests
from service import UNLIMITED

from upstream import Upstream


@pytest.fixture
def make_upstream():
    made = []

    def make(*args, **options):
        made.append(Upstream(*args, **options))
        return made[-1]

    yield make
    for upstream in made:
        upstream.stop()


def wait_for(told, seconds=20):
    """Waits until told() is true, and returns that."""
    deadline = time.monotonic() + seconds
    while not (value := told()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return value


def ups(service):
    """How many upstreams get traffic, by the metrics."""
    text = requests.get(service.url + "/metrics", timeout=10).text
    return sum(line.startswith("refractr_upstream_up{") and line.endswith(" 1") for line in text.splitlines())


@pytest.fixture
def make_remote(make_service):
    """A service with --engine remote in front of these upstreams; waits until `up` of them (all) get traffic."""

    def make(*upstreams, up=None, options=(), engine="remote", model=None):
        urls = ",".join(u if isinstance(u, str) else u.url for u in upstreams)
        more = ["--model", str(model)] if model else []
        service = make_service(*UNLIMITED, "--engine", engine, "--upstream", urls, *more, *options, stub=False)
        service.account_id, service.key = service.account(credits=1000)
        wait_for(lambda: ups(service) == (len(upstreams) if up is None else up))
        return service

    return make
