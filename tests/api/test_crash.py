"""kill -9 under load and orderly shutdown: what was acknowledged is kept, nothing is charged twice, holds never leak."""

import concurrent.futures
import signal
import subprocess
import threading
import time

import pytest
import requests
from service import UNLIMITED, BINARY, available, extract, free_port, get, held, poll

CREDITS = 100_000


def load(service, key, seconds, threads=16):
    """Async requests from many threads until the service dies or the time is up; returns the acknowledged job ids."""
    acknowledged, lock, end = [], threading.Lock(), time.monotonic() + seconds

    def work(_):
        with requests.Session() as session:
            while time.monotonic() < end:
                try:
                    answer = extract(service, key, wait=False, session=session)
                except requests.RequestException:
                    return
                if answer.status_code == 202:
                    with lock:
                        acknowledged.append(answer.json()["job_id"])
                else:
                    assert answer.status_code == 503, answer.text

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return acknowledged


@pytest.mark.parametrize("delay_ms", [0, 20])
def test_kill_9_under_load(make_service, delay_ms):
    service = make_service(*UNLIMITED, "--stub-delay-ms", str(delay_ms))
    key = service.account(credits=CREDITS)[1]
    total = []
    for round_ in range(4):
        killer = threading.Timer(0.4 + 0.15 * round_, service.process.kill)
        killer.start()
        total += load(service, key, seconds=10)
        service.process.wait()
        service.start()
    assert len(total) > 20 and len(set(total)) == len(total)
    with requests.Session() as session:
        states = [poll(service, key, job_id, session=session)["status"] for job_id in total]
    assert states == ["success"] * len(total), "no acknowledged job is lost"
    deadline = time.monotonic() + 30
    while held(service, key) and time.monotonic() < deadline:  # jobs inserted but never acknowledged run too
        time.sleep(0.1)
    assert held(service, key) == 0
    charged = CREDITS - available(service, key)
    assert len(total) <= charged <= len(total) + 4 * 16, "at most the requests that died unanswered are charged beside them"
    service.stop()
    service.start()
    assert CREDITS - available(service, key) == charged, "nothing is charged twice"


def test_shutdown_answers_what_is_in_flight(make_service):
    service = make_service(*UNLIMITED, "--stub-delay-ms", "1500")
    key = service.account(credits=100)[1]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(extract, service, key) for _ in range(4)]
        time.sleep(0.7)
        service.signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(requests.ConnectionError):
            requests.get(service.url + "/livez", timeout=2)
        codes = [a.result().status_code for a in answers]
    assert codes == [200] * 4, codes
    assert service.wait() == 0
    service.start()
    assert (available(service, key), held(service, key)) == (96, 0)


def test_shutdown_keeps_pending_jobs(make_service):
    service = make_service(*UNLIMITED, "--stub-delay-ms", "300")
    key = service.account(credits=100)[1]
    ids = [extract(service, key, wait=False).json()["job_id"] for _ in range(20)]
    service.stop()
    service.start()
    assert [poll(service, key, i)["status"] for i in ids] == ["success"] * 20
    assert (available(service, key), held(service, key)) == (80, 0)


def test_second_signal_exits_at_once(make_service):
    service = make_service(*UNLIMITED, "--stub-delay-ms", "20000")
    key = service.account(credits=10)[1]
    job_id = extract(service, key, wait=False).json()["job_id"]
    service.signal(signal.SIGTERM)
    time.sleep(0.5)
    assert service.process.poll() is None, "the first signal waits for the job"
    started = time.monotonic()
    service.signal(signal.SIGTERM)
    service.wait(seconds=5)
    assert time.monotonic() - started < 2
    service.options = [o for o in service.options if o not in ("--stub-delay-ms", "20000")]
    service.start()
    assert poll(service, key, job_id)["status"] == "success"
    assert (available(service, key), held(service, key)) == (9, 0)


def test_readiness_turns_while_draining(make_service):
    service = make_service(*UNLIMITED, "--stub-delay-ms", "1500")
    key = service.account()[1]
    with requests.Session() as session, concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert session.get(service.url + "/readyz").status_code == 200  # an open connection outlives the listening socket
        busy = pool.submit(extract, service, key)
        time.sleep(0.3)
        service.signal(signal.SIGTERM)
        time.sleep(0.3)
        answer = session.get(service.url + "/readyz")
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
        assert busy.result().status_code == 200
    assert service.wait() == 0


def test_data_folder_serves_one_process(make_service):
    service = make_service()
    second = subprocess.run([BINARY, "serve", "--data", service.data, "--port", str(free_port()), "--stub-engine"],
                            capture_output=True, text=True, timeout=20)
    assert second.returncode != 0 and second.stderr
    assert get(service, service.account()[1], "/api/v1/account/").status_code == 200
