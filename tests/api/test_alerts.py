"""The alerts fire when a real service is hurt, and not before."""

import concurrent.futures
import time

import pytest
from service import UNLIMITED, extract
from watch import Prometheus, hurried


@pytest.fixture
def watch(tmp_path):
    made = []

    def make(service):
        made.append(Prometheus(service, tmp_path))
        return made[-1]

    yield make
    for watcher in made:
        watcher.stop()


def test_hurried():
    assert hurried("for: 5m\nexpr: rate(x[10m]) > 5 and y[30s]") == "for: 5000ms\nexpr: rate(x[10000ms]) > 5 and y[1000ms]"


def test_a_killed_service_calls_somebody(make_service, watch):
    service = make_service(*UNLIMITED)
    _, key = service.account()
    watcher = watch(service)
    for _ in range(20):
        assert extract(service, key).status_code == 200
        time.sleep(0.1)
    assert watcher.alerts() == {}
    service.kill()
    watcher.wait_for("RefractrDown")


def test_a_full_queue_calls_somebody(make_service, watch):
    service = make_service(*UNLIMITED, "--queue-limit", "2", "--stub-delay-ms", "300")
    _, key = service.account()
    watcher = watch(service)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        deadline, codes = time.monotonic() + 60, []
        while watcher.alerts().get("RefractrErrors") != "firing" and time.monotonic() < deadline:
            codes += pool.map(lambda _: extract(service, key).status_code, range(16))
            time.sleep(0.2)
    assert set(codes) == {200, 503}
    watcher.wait_for("RefractrErrors")
    watcher.wait_until_quiet("RefractrErrors")
