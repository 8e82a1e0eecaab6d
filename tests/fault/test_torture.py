"""Torture's short form: a few dozen points of each kind, and the defects it has found, each by itself."""

import contextlib
import errno
import subprocess
import time

import pytest
from endpoints import purchase
from faults import ALLOC, DISK, FAIL, FOR_EVER, SYNC, WRITE, FaultyService, check_books, open_books, wait_for_jobs
from postgres import Postgres
from service import Service, available, extract, get, held, poll
from torture import Torture, torture_commands, torture_start


@pytest.fixture(scope="module")
def torture(tmp_path_factory):
    made = Torture(tmp_path_factory.mktemp("torture"), ["--deadline-ms=1500"], say=lambda _: None)
    yield made
    made.stop()


@pytest.mark.parametrize("name", ["extract", "job", "keys", "ledger-csv", "metrics", "signin-link", "stripe-purchase", "checkout"])
def test_every_seventh_allocation(torture, name):
    torture.wrong.clear()
    torture.run(torture.cast.cases[name], "alloc", stride=7)
    assert not torture.wrong
    assert torture.points["error"] > 0


@pytest.mark.parametrize("kind", ["write", "full", "sync", "read", "open", "sql", "sql-full", "send", "receive", "accept"])
def test_first_calls_of_each_kind(torture, kind):
    torture.wrong.clear()
    for name in ("extract", "key-create", "page"):
        torture.run(torture.cast.cases[name], kind, most=3)
    assert not torture.wrong


@pytest.fixture(scope="module")
def postgres_torture(tmp_path_factory):
    server = Postgres()
    made = Torture(tmp_path_factory.mktemp("postgres"), ["--deadline-ms=1500"], say=lambda _: None, store=server.place())
    yield made
    made.stop()
    server.remove()


@pytest.mark.parametrize("kind", ["sql", "send", "receive"])
def test_first_calls_of_each_kind_on_postgres(postgres_torture, kind):
    """A COMMIT whose answer is lost is among them."""
    postgres_torture.wrong.clear()
    for name in ("extract-key", "stripe-purchase"):
        postgres_torture.run(postgres_torture.cast.cases[name], kind, most=12)
    assert not postgres_torture.wrong
    assert postgres_torture.points["error"] > 0


def test_start_under_fire(tmp_path):
    tried, wrong = torture_start(tmp_path, lambda _: None, lambda kind: range(1, 6000, 499 if kind == "alloc" else 61))
    assert tried > 10 and not wrong


def test_commands_under_fire(tmp_path):
    tried, wrong = torture_commands(tmp_path, lambda _: None, lambda kind: range(1, 2000, 397 if kind == "alloc" else 41))
    assert tried > 10 and not wrong


@pytest.fixture
def faulty(tmp_path):
    made = FaultyService(tmp_path / "data", "--rate-limit", "1000000", "--poll-limit", "1000000").start()
    made.key = made.account(credits=100)[1]
    yield made
    if made.process.poll() is None:
        made.kill()


def answers_all(call, control):
    """The answers when the first, the second, ... allocation fails, until none does."""
    for n in range(1, 1000):
        control.arm(ALLOC, FAIL, n)
        answer = call()
        if not control.disarm()[1]:
            return
        yield answer


def test_a_paid_event_is_never_waved_through(torture):
    """An event that could not be read for want of memory was answered 200, and Stripe would not have sent it again."""
    cast = torture.cast
    bought = []

    def pay():
        bought.append(purchase(cast.actor.account_id))
        return cast.stripe("checkout.session.completed", bought[-1])

    taken = [made["id"] for answer, made in zip(answers_all(pay, torture.service.control), bought) if answer.status == 200]
    with contextlib.closing(open_books(torture.service.data)) as books:
        credited = {row[0] for row in books.execute("SELECT session_id FROM purchases")}
    assert len(bought) > 30 and set(taken) <= credited


def test_a_long_document_is_read_whole_or_not_at_all(torture):
    """jansson drops bytes of a string whose buffer cannot grow, and then runs past its end."""
    cast = torture.cast
    body = {"document_text": 'a "quoted" \\ line\n' * 200, "template": {"total": "no type"}}
    codes = [a.status for a in answers_all(lambda: cast.api("POST", "/api/v1/extract/", body), torture.service.control)]
    assert torture.service.process.poll() is None, torture.service.log.read_text()[-500:]
    assert len(codes) > 30 and {400, 500} <= set(codes) <= {400, 500, 503, None}


def test_accepted_jobs_survive_a_start_without_memory(tmp_path):
    """A service that could not read a job back for want of memory must not start without it, nor fail it."""
    service = FaultyService(tmp_path / "data", "--stub-delay-ms", "60000").start()
    key = service.account(credits=10)[1]
    jobs = [extract(service, key, wait=False).json()["job_id"] for _ in range(3)]
    service.kill()
    service.options = ["--stub-engine"]
    for n in range(5, 1500, 97):
        service.control.arm(ALLOC, FAIL, n)
        with contextlib.suppress(AssertionError):
            service.start()
        service.control.disarm()
        if service.process.poll() is None:
            break
    else:
        service.start()
    assert [poll(service, key, job)["status"] for job in jobs] == ["success"] * 3
    assert (available(service, key), held(service, key)) == (7, 0)
    service.stop()


def test_full_disk_refuses_then_serves(faulty):
    assert extract(faulty, faulty.key).status_code == 200
    faulty.control.arm(WRITE, FAIL, length=FOR_EVER, error=errno.ENOSPC)
    refused = [extract(faulty, faulty.key) for _ in range(3)]
    assert {a.status_code for a in refused} == {503} and all(int(a.headers["Retry-After"]) >= 1 for a in refused)
    assert get(faulty, faulty.key, "/api/v1/account/").status_code == 200, "what needs no write is still answered"
    faulty.control.disarm()
    assert extract(faulty, faulty.key).status_code == 200
    assert (available(faulty, faulty.key), held(faulty, faulty.key)) == (98, 0)
    assert not check_books(faulty.data, whole=True)


def test_result_waits_for_the_disk(tmp_path):
    """The disk fills while the engine works: the result is kept and stored when there is room, and charged once."""
    service = FaultyService(tmp_path / "data", "--stub-delay-ms", "300").start()
    key = service.account(credits=10)[1]
    job = extract(service, key, wait=False).json()["job_id"]
    service.control.arm(DISK, FAIL, length=FOR_EVER, error=errno.ENOSPC)
    time.sleep(0.8)
    assert poll(service, key, job, seconds=0)["status"] == "pending"
    service.control.disarm()
    assert poll(service, key, job, seconds=5)["status"] == "success"
    assert (available(service, key), held(service, key)) == (9, 0)
    service.stop()


def test_full_durability_tells_nothing_the_disk_did_not_take(tmp_path):
    service = FaultyService(tmp_path / "data", "--durability", "full").start()
    key = service.account(credits=10)[1]
    service.control.arm(SYNC, FAIL, length=FOR_EVER)
    assert extract(service, key).status_code == 503
    service.control.disarm()
    assert extract(service, key).status_code == 200
    service.stop()
    assert not check_books(service.data, whole=True)


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_clock_jumps(faulty, days):
    first = extract(faulty, faulty.key, wait=False).json()["job_id"]
    assert poll(faulty, faulty.key, first)["status"] == "success"
    faulty.control.put("clock_ms", days * 86_400_000)
    answers = [extract(faulty, faulty.key) for _ in range(5)]
    assert {a.status_code for a in answers} == {200} and all(0 <= a.json()["metadata"]["latency_ms"] < 30_000 for a in answers)
    assert get(faulty, faulty.key, "/readyz").status_code == 200
    job = extract(faulty, faulty.key, wait=False).json()["job_id"]
    faulty.stop()
    faulty.start()
    assert poll(faulty, faulty.key, job)["status"] == "success"
    assert (available(faulty, faulty.key), held(faulty, faulty.key)) == (93, 0)
    faulty.control.put("clock_ms", 0)
    assert extract(faulty, faulty.key).status_code == 200
    assert not check_books(faulty.data, whole=True)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB, where the tests run as root."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", place], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no small file system here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_really_full_disk(small_disk, tmp_path):
    service = Service(small_disk / "data", "--rate-limit", "1000000")
    service.log = tmp_path / "log"
    service.start()
    key = service.account(credits=10_000)[1]
    codes = []
    while 503 not in codes and len(codes) < 500:
        codes.append(extract(service, key, document_text="x" * 40_000, wait=False).status_code)
    assert codes[-1] == 503 and set(codes) == {202, 503}
    assert get(service, key, "/api/v1/account/").status_code == 200
    subprocess.run(["mount", "-o", "remount,size=32m", small_disk], check=True)
    wait_for_jobs(service.data, 20)
    assert extract(service, key).status_code == 200
    assert (available(service, key), held(service, key)) == (10_000 - codes.count(202) - 1, 0)
    service.stop()
    assert not check_books(service.data, whole=True)


def test_read_only_disk_is_refused_at_start(small_disk, tmp_path):
    service = Service(small_disk / "data")
    service.log = tmp_path / "log"
    service.start()
    service.stop()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(AssertionError):
        service.start()
    assert "refractr: cannot open" in service.log.read_text() and service.process.wait(5) > 0
