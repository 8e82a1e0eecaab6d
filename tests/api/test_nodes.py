"""Several nodes on one PostgreSQL: whichever is asked, whichever dies, every job runs and is charged once."""

import concurrent.futures
import http.server
import json
import subprocess
import threading
import time

import pytest
import requests
from postgres import Postgres
from service import BINARY, INVOICE, UNLIMITED, Service, available, command, extract, get, held, poll

CREDITS = 100_000
LEASE_S = 10


@pytest.fixture
def make_nodes(tmp_path, postgres):
    """Starts nodes of the given roles on one new store; options go to each."""
    made = []

    def make(*roles, options=UNLIMITED, server=postgres, store=None):
        store = store or server.place()
        for role in roles:
            made.append(Service(tmp_path / f"node{len(made)}", *options, "--role", role, store=store).start())
        return made[-len(roles):]

    yield make
    for node in made:
        if node.process.poll() is None:
            node.kill()


def load(nodes, key, until, threads=8, headers=None):
    """Requests that wait for nothing, to all nodes in turn, until the time is up. (job ids accepted, other status codes)."""
    accepted, refused, lock = [], [], threading.Lock()

    def work(number):
        with requests.Session() as session:
            while time.monotonic() < until():
                try:
                    answer = extract(nodes[number % len(nodes)], key, wait=False, session=session, headers=headers)
                except requests.RequestException:
                    time.sleep(0.05)
                    continue
                with lock:
                    if answer.status_code == 202:
                        accepted.append(answer.json()["job_id"])
                    else:
                        refused.append((answer.status_code, answer.headers.get("Retry-After")))

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return accepted, refused


def wait_settled(node, key, seconds=40):
    end = time.monotonic() + seconds
    while held(node, key) and time.monotonic() < end:
        time.sleep(0.2)
    assert held(node, key) == 0, "a job did not end"


def check_books(postgres, store, key, node, accepted, unheard):
    """Every accepted job has succeeded; charges are the jobs that did, one each; `unheard`: accepted, but nobody was told."""
    wait_settled(node, key)
    ids = ",".join(f"'{job}'" for job in accepted)
    assert int(postgres.sql(f"SELECT count(*) FROM jobs WHERE state = 2 AND id IN ({ids})", store)) == len(accepted)
    assert poll(node, key, accepted[-1])["status"] == "success"
    charged = CREDITS - available(node, key)
    assert charged == int(postgres.sql("SELECT count(*) FROM jobs WHERE state = 2", store))
    assert charged == int(postgres.sql("SELECT count(DISTINCT job_id) FROM ledger WHERE kind = 'usage'", store))
    assert len(accepted) <= charged <= len(accepted) + unheard


def may_be_stored(nodes, threads=8):
    """Most jobs that were refused and are there all the same: those of commits whose fate stayed unknown for a whole lease, as on
    a machine so slow that its PostgreSQL needs longer than that to come back. None elsewhere."""
    return threads * sum(node.log.read_text().count("what became of a commit is not known") for node in nodes)


def load_through(nodes, key, outage):
    """Loads the nodes until `outage` has run and its end is over, and sees that they serve again, one request each. What was refused
    meanwhile must have been told 503 and when to come back. Job ids accepted.
    outage(ask) calls ask() while the database is away: all that load sent before may be waiting for what became of its commits."""
    end, asked = [time.monotonic() + 60], []

    def ask():
        answer = extract(nodes[0], key, wait=False)
        asked.append((answer.status_code, answer.headers.get("Retry-After")))

    def away():
        outage(ask)
        end[0] = 0

    thread = threading.Thread(target=away)
    thread.start()
    accepted, refused = load(nodes, key, lambda: end[0])
    thread.join()
    refused += asked
    assert refused and set(code for code, _ in refused) == {503}
    assert all(after and int(after) >= 1 for _, after in refused), "Retry-After"
    for node in nodes:
        assert requests.get(node.url + "/readyz", timeout=5).status_code == 200
        assert extract(node, key).status_code == 200
    return accepted


def test_api_nodes_answer_what_workers_run(make_nodes):
    api, worker = make_nodes("api", "worker")
    key = api.account(credits=10)[1]
    answer = extract(api, key)
    assert answer.status_code == 200 and set(answer.json()["extracted_data"]) == set(INVOICE["template"])
    assert answer.headers["X-Credits-Remaining"] == "9"
    later = extract(api, key, wait=False)
    assert later.status_code == 202
    assert poll(api, key, later.json()["job_id"])["status"] == "success"
    assert extract(worker, key).status_code == 404, "a worker serves no API"
    assert requests.get(worker.url + "/readyz", timeout=5).status_code == 200
    worker.stop()
    waiting = extract(api, key, wait=False).json()["job_id"]
    time.sleep(0.3)
    assert get(api, key, f"/api/v1/extract/{waiting}/").json()["status"] == "pending", "nobody works"


def test_any_node_polls_and_replays(make_nodes):
    one, two = make_nodes("all", "all")
    key = one.account(credits=10)[1]
    job = extract(one, key, wait=False, headers={"Idempotency-Key": "k"}).json()["job_id"]
    assert poll(two, key, job)["status"] == "success"
    again = extract(two, key, wait=False, headers={"Idempotency-Key": "k"})
    assert again.headers["Idempotency-Replayed"] == "true" and again.json()["job_id"] == job
    assert extract(two, key, details=True, headers={"Idempotency-Key": "k"}).status_code == 400
    assert available(one, key) == 9


def test_one_idempotency_key_on_two_nodes_at_once(make_nodes):
    nodes = make_nodes("all", "all")
    key = nodes[0].account(credits=100)[1]
    for round_ in range(5):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: extract(nodes[i % 2], key, wait=False, headers={"Idempotency-Key": f"r{round_}"}), range(8)))
        assert {a.status_code for a in answers} <= {200, 202}
        assert len({a.json()["job_id"] for a in answers}) == 1
    wait_settled(nodes[0], key)
    assert available(nodes[1], key) == 95


def test_credits_hold_across_nodes(make_nodes):
    nodes = make_nodes("all", "all", "api")
    key = nodes[0].account(credits=20)[1]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda i: extract(nodes[i % 3], key).status_code, range(60)))
    assert sorted(codes) == [200] * 20 + [402] * 40
    assert (available(nodes[2], key), held(nodes[2], key)) == (0, 0)


def test_rate_limit_holds_across_nodes(make_nodes):
    nodes = make_nodes("all", "all", options=["--poll-limit", "1000000"])
    key = nodes[0].account(credits=1000)[1]
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: extract(nodes[i % 2], key, wait=False), range(160)))
    assert time.monotonic() - began < 55, "too slow to tell"
    codes = [a.status_code for a in answers]
    assert (codes.count(202), codes.count(429)) == (100, 60)
    refused = next(a for a in answers if a.status_code == 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert extract(nodes[0], nodes[1].account()[1]).status_code == 200, "another key has its own window"


def test_revoked_key_is_refused_everywhere_within_a_second(make_nodes):
    nodes = make_nodes("all", "all")
    key = nodes[0].account()[1]
    assert all(extract(n, key).status_code == 200 for n in nodes)
    command("key", "revoke", key[:11], data=None, store=nodes[0].store)
    time.sleep(1.1)
    assert [extract(n, key).status_code for n in nodes] == [401, 401]


def test_a_crowd_does_not_hold_up_another_account(make_nodes):
    nodes = make_nodes("all", "all", options=[*UNLIMITED, "--stub-delay-ms", "50", "--threads", "1", "--queue-limit", "2000"])
    crowd, single = nodes[0].account()[1], nodes[0].account()[1]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda i: extract(nodes[0], crowd, wait=False).status_code == 202, range(400)))
    began = time.monotonic()
    assert extract(nodes[0], single).status_code == 200
    assert extract(nodes[1], single).status_code == 200
    assert time.monotonic() - began < 2
    assert held(nodes[0], crowd) > 20, "the crowd had work left, or this shows nothing"


def test_killed_nodes_jobs_run_elsewhere_and_are_charged_once(make_nodes, postgres):
    survivor, victim = make_nodes("all", "all", options=[*UNLIMITED, "--stub-delay-ms", "20", "--durability", "full",
                                                           "--queue-limit", "100000"])
    key = survivor.account(credits=CREDITS)[1]
    end = time.monotonic() + 3
    killer = threading.Timer(1.5, victim.kill)
    killer.start()
    accepted, refused = load([survivor, victim], key, lambda: end)
    killer.join()
    assert len(accepted) > 20 and not refused
    check_books(postgres, survivor.store, key, survivor, accepted, unheard=8)
    assert "a node is gone" in survivor.log.read_text(), "the killed node had nothing in hand: this shows nothing"


def test_frozen_node_changes_nothing_when_it_wakes(make_nodes, postgres):
    """Stopped for longer than its lease with jobs in hand, whose waiters are still there: others run them."""
    survivor, frozen = make_nodes("all", "all", options=[*UNLIMITED, "--stub-delay-ms", "1500", "--threads", "1"])
    key = survivor.account(credits=100)[1]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(extract, frozen, key) for _ in range(2)]
        time.sleep(0.7)
        frozen.signal(19)
        wait_settled(survivor, key, LEASE_S + 20)
        charged = 100 - available(survivor, key)
        frozen.signal(18)
        codes = [a.result().status_code for a in answers]
    assert charged == 2 and codes == [200, 200]
    time.sleep(2)
    assert (available(survivor, key), held(survivor, key)) == (98, 0)
    assert int(postgres.sql("SELECT count(*) FROM ledger WHERE kind = 'usage'", survivor.store)) == 2


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgres_restarts_under_load(make_nodes, mode):
    server = Postgres(durable=True)
    try:
        nodes = make_nodes("all", "all", options=[*UNLIMITED, "--durability", "full"], server=server)
        key = nodes[0].account(credits=CREDITS)[1]

        def away(ask):
            time.sleep(1)
            server.stop(mode)
            time.sleep(1.5)
            ask()
            server.start()
            time.sleep(2.5)

        accepted = load_through(nodes, key, away)
        check_books(server, nodes[0].store, key, nodes[1], accepted, unheard=2 + may_be_stored(nodes))  # the two just made
    finally:
        server.remove()


def test_without_postgres_readyz_says_so_and_requests_are_told(make_nodes):
    server = Postgres()
    try:
        (node,) = make_nodes("all", server=server)
        key = node.account()[1]
        assert extract(node, key).status_code == 200
        server.stop("immediate")
        ready = requests.get(node.url + "/readyz", timeout=10)
        assert ready.status_code == 503 and ready.json()["error"]["code"] == "store_unavailable"
        told = extract(node, key)
        assert told.status_code == 503 and int(told.headers["Retry-After"]) >= 1
        for secret in ("127.0.0.1", "refractr@", "port"):
            assert secret not in told.text, "callers learn nothing of the database's place"
        assert requests.get(node.url + "/livez", timeout=5).status_code == 200
        server.start()
        end = time.monotonic() + 10
        while not requests.get(node.url + "/readyz", timeout=10).ok and time.monotonic() < end:
            time.sleep(0.1)
        assert extract(node, key).status_code == 200
    finally:
        server.remove()


@pytest.fixture
def pair():
    """A primary and its standby, which every commit waits for; and the URL that names both. Their disks outlive them here."""
    primary = Postgres()
    made = [primary]
    try:
        standby = Postgres(follows=primary)
        made.append(standby)
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.sql("SELECT pg_reload_conf()")
        place = primary.place().split("?")
        hosts = ",".join(server.url.split("@")[1].split("/")[0] for server in made)
        yield primary, standby, f"postgresql://refractr@{hosts}/postgres?{place[1]}&target_session_attrs=read-write"
    finally:
        for server in made:
            server.remove()


def test_a_standby_takes_over_under_load(make_nodes, pair):
    primary, standby, store = pair
    nodes = make_nodes("all", "all", options=[*UNLIMITED, "--durability", "full"], store=store)
    key = nodes[0].account(credits=CREDITS)[1]

    def die(ask):
        time.sleep(1)
        primary.kill()
        time.sleep(1)
        ask()
        standby.promote()
        time.sleep(1.5)

    accepted = load_through(nodes, key, die)
    check_books(standby, store, key, nodes[1], accepted, unheard=2 + may_be_stored(nodes))  # the two just made


def test_a_commit_the_standby_never_saw_is_told_from_anothers(make_nodes, pair):
    """The number that a transaction lost with the primary had is given again, to one that succeeds."""
    primary, standby, store = pair
    (node,) = make_nodes("all", options=[*UNLIMITED, "--durability", "full"], store=store)
    key = node.account(credits=10)[1]
    assert extract(node, key).status_code == 200
    wait_settled(node, key)
    standby.stop()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(extract, node, key, wait=False)
        while not int(primary.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'")):
            assert not answer.done(), "it waits for no standby"
        primary.kill()
        unseen = standby.start_unseen()
        standby.promote()
        standby.sql("DO $$ BEGIN FOR i IN 1..200 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$", unseen)
        standby.stop()
        standby.start()
        told = answer.result()
    made = told.status_code == 202  # again, where it is now; a machine too slow to have it there within the lease is told so
    assert poll(node, key, told.json()["job_id"])["status"] == "success" if made else told.status_code == 503, told.text
    assert standby.sql("SELECT count(*) FROM jobs", store) == str(1 + made) and available(node, key) == 9 - made


def test_webhooks_are_sent_by_one_node(make_nodes):
    seen, lock = [], threading.Lock()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                seen.append(event["data"]["job_id"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_address[1]}/"
    nodes = make_nodes("all", "all", "worker", options=[*UNLIMITED, "--webhook-allow-private"])
    key = nodes[0].account()[1]
    jobs = [extract(nodes[i % 2], key, wait=False, webhook_url=url).json()["job_id"] for i in range(20)]
    end = time.monotonic() + 20
    while len(seen) < 20 and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(1)
    assert sorted(seen) == sorted(jobs)
    receiver.shutdown()


def migrate(store):
    return subprocess.run([BINARY, "migrate", "--store", store], capture_output=True, text=True, timeout=60)


def test_migrations(postgres):
    store = postgres.place()
    empty = subprocess.run([BINARY, "account", "list", "--store", store], capture_output=True, text=True, timeout=60)
    assert empty.returncode == 3 and "refractr migrate" in empty.stderr
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        done = list(pool.map(migrate, [store] * 6))
    assert [d.returncode for d in done] == [0] * 6, done
    told = [json.loads(d.stdout) for d in done]
    newest = told[0]["to"]
    assert sorted(t["from"] for t in told) == [0] + [newest] * 5, "one migrates, the others find it done"
    assert postgres.sql("SELECT count(*) FROM schema_versions", store) == str(newest)
    postgres.sql("INSERT INTO schema_versions VALUES (999, now())", store)
    newer = subprocess.run([BINARY, "serve", "--stub-engine", "--port", "0", "--store", store], capture_output=True, text=True, timeout=60)
    assert newer.returncode == 3 and "999" in newer.stderr and "newer program" in newer.stderr
    assert migrate(store).returncode == 3


def test_older_schema_is_not_served_until_migrated(postgres):
    store = postgres.place()
    assert migrate(store).returncode == 0
    postgres.sql("DELETE FROM schema_versions WHERE version > 1; DROP TABLE commits", store)
    served = subprocess.run([BINARY, "account", "list", "--store", store], capture_output=True, text=True, timeout=60)
    assert served.returncode == 3 and "refractr migrate" in served.stderr
    done = migrate(store)
    assert done.returncode == 0 and json.loads(done.stdout)["from"] == 1
    assert command("account", "list", data=None, store=store) is not None, "it is served again"


def test_backup_and_restore(make_nodes, postgres, tmp_path):
    (node,) = make_nodes("all", store=postgres.database())
    key = node.account(credits=10)[1]
    job = extract(node, key, headers={"Idempotency-Key": "before"}).headers and poll(
        node, key, extract(node, key, wait=False).json()["job_id"])["job_id"]
    for verb, tool in (("backup", "pg_dump"), ("restore", "pg_restore")):
        told = subprocess.run([BINARY, verb, tmp_path / "copy", "--store", node.store], capture_output=True, text=True, timeout=60)
        assert told.returncode != 0 and tool in told.stderr
    dump = tmp_path / "refractr.dump"
    subprocess.run([postgres.program("pg_dump"), "--format=custom", f"--file={dump}", node.store], check=True, timeout=60)
    assert extract(node, key).status_code == 200  # after the backup: gone with it
    restored = postgres.database()
    subprocess.run([postgres.program("pg_restore"), "--exit-on-error", "--no-owner", f"--dbname={restored}", dump], check=True, timeout=60)
    copy = Service(tmp_path / "copy", *UNLIMITED, store=restored).start()
    try:
        assert available(copy, key) == 8
        assert poll(copy, key, job)["status"] == "success"
        assert extract(copy, key, headers={"Idempotency-Key": "before"}).headers["Idempotency-Replayed"] == "true"
        assert extract(copy, key).status_code == 200
        assert available(copy, key) == 7
        with pytest.raises(AssertionError, match="append-only"):
            postgres.sql("DELETE FROM ledger", restored)
    finally:
        copy.stop()


def test_role_needs_a_shared_store(tmp_path):
    alone = subprocess.run([BINARY, "serve", "--role", "worker", "--data", tmp_path / "d", "--port", "0"], capture_output=True, text=True, timeout=60)
    assert alone.returncode == 3 and "--store" in alone.stderr
