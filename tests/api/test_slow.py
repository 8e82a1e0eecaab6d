"""Slow and silent peers: they are cut off in time, and honest clients are served meanwhile."""

import select
import socket
import time

import requests
from service import UNLIMITED, extract
from wire import post


def dial(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def closed_within(connections, seconds):
    """How many the peer has closed before the time is up."""
    left, end = set(connections), time.monotonic() + seconds
    while left and time.monotonic() < end:
        for s in select.select(list(left), [], [], 0.2)[0]:
            try:
                if s.recv(4096):
                    continue
            except ConnectionError:
                pass
            left.discard(s)
    return len(connections) - len(left)


def test_silent_connections_are_closed_and_honest_ones_served(make_service):
    service = make_service(*UNLIMITED, "--idle-timeout", "2")
    key = service.account()[1]
    silent = [dial(service.port) for _ in range(200)]
    started = [dial(service.port) for _ in range(200)]
    for s in started:
        s.sendall(b"POST /api/v1/extract/ HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    kept = [dial(service.port) for _ in range(100)]
    for s in kept:
        s.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
    assert all(extract(service, key, timeout=5).status_code == 200 for _ in range(20))
    assert closed_within(silent + started + kept, 15) == 500
    assert requests.get(service.url + "/livez", timeout=5).ok


def test_a_byte_a_second_does_not_keep_a_head_open(make_service):
    service = make_service(*UNLIMITED, "--idle-timeout", "2")
    s = dial(service.port)
    s.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
    started = time.monotonic()
    try:
        while time.monotonic() - started < 15:
            s.sendall(b"a")
            time.sleep(0.3)
    except ConnectionError:
        pass
    assert time.monotonic() - started < 10


def test_client_that_leaves_does_not_disturb(make_service):
    """The client hangs up while its job runs: the job ends, is charged, and can be polled by nobody but its owner."""
    service = make_service(*UNLIMITED, "--stub-delay-ms", "300")
    key = service.account(credits=10)[1]
    body = b'{"document_text": "a", "template": {"b": null}}'
    for _ in range(5):
        s = dial(service.port)
        s.sendall(post(key, body))
        time.sleep(0.05)
        s.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        account = requests.get(service.url + "/api/v1/account/", headers={"Authorization": f"Bearer {key}"}).json()
        if account["credits"] == {"available": 5, "held": 0}:
            break
        time.sleep(0.1)
    assert account["credits"] == {"available": 5, "held": 0}


def test_parked_requests_do_not_hold_up_others(make_service):
    service = make_service(*UNLIMITED, "--stub-delay-ms", "20000")
    key = service.account()[1]
    parked = [dial(service.port) for _ in range(100)]
    for s in parked:
        s.sendall(post(key, b'{"document_text": "a", "template": {"b": null}}'))
    started = time.monotonic()
    assert all(requests.get(service.url + "/livez", timeout=5).ok for _ in range(50))
    assert time.monotonic() - started < 15, "none of them waits for a job"
    for s in parked:
        s.close()
