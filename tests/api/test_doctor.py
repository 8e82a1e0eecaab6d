"""refractr doctor: each thing is broken once, and doctor must say so, say what to do, and end with 1."""

import os
import pathlib
import re
import resource
import shutil
import socket
import sqlite3
import subprocess

import pytest
from service import BINARY, UNLIMITED, available, command, extract, sanitizers


def doctor(data, *options, wrapper=(), limit=None, **environment):
    """Runs it; returns (exit code, [(verdict, check, what, what to do)])."""
    prepare = (lambda: resource.setrlimit(*limit)) if limit else None
    done = subprocess.run([*wrapper, BINARY, "doctor", "--data", data, "--port", "0", *options], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment}, preexec_fn=prepare)
    findings = re.findall(r"^(fine|warning|FAULT) +(\w+) +(.*)(?:\n +-> (.*))?", done.stdout, re.M)
    faults, warnings = (sum(f[0] == verdict for f in findings) for verdict in ("FAULT", "warning"))
    assert done.stdout.endswith(f"\n{faults} faults, {warnings} warnings\n"), done.stdout + done.stderr
    assert done.returncode == (1 if faults else 0), "0 without a fault, 1 with one"
    assert all(bool(remedy) == (verdict != "fine") for verdict, _, _, remedy in findings), "whatever is wrong comes with what to do"
    return findings


def said(findings, verdict, check, words):
    return any(f[:2] == (verdict, check) and re.search(words, f[2]) for f in findings)


@pytest.fixture
def data(tmp_path, model):
    folder = tmp_path / "data"
    command("account", "create", "patient", "--credits", "5", data=folder)
    return folder


def test_healthy(data):
    before = {file: file.stat().st_mtime_ns for file in data.iterdir()}
    findings = doctor(data)
    assert [f[:3] for f in findings if f[0] == "FAULT"] == []
    assert {f[1] for f in findings} == {"settings", "folder", "disk", "store", "model", "port", "limits", "clock"}
    assert said(findings, "fine", "store", "whole") and said(findings, "fine", "model", "answers")
    assert {file: file.stat().st_mtime_ns for file in data.iterdir() if file.name == "refractr.db"}.items() <= before.items(), "only looked"


def test_beside_a_running_service(make_service, model):
    service = make_service(*UNLIMITED)
    _, key = service.account(credits=10)
    findings = doctor(service.data, "--port", str(service.port))
    assert said(findings, "fine", "port", "a service runs on this folder")
    assert said(findings, "fine", "store", "whole")
    assert extract(service, key).status_code == 200 and available(service, key) == 9
    service.stop()


def test_port_of_somebody_else(data):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert said(doctor(data, "--port", str(port)), "FAULT", "port", f"nobody can listen on 127.0.0.1 port {port}")
    assert said(doctor(data, "--host", "192.0.2.1"), "FAULT", "port", "192.0.2.1")


def test_no_folder(tmp_path, model):
    assert said(doctor(tmp_path / "nothing"), "FAULT", "folder", "no data folder")
    (tmp_path / "file").touch()
    assert said(doctor(tmp_path / "file"), "FAULT", "folder", "not a folder")
    (tmp_path / "empty").mkdir(mode=0o700)
    assert said(doctor(tmp_path / "empty"), "FAULT", "store", "no database")
    assert list((tmp_path / "empty").iterdir()) == [], "nothing was made"


def test_folder_open_to_others(data):
    data.chmod(0o755)
    (data / "refractr.db").chmod(0o644)
    findings = doctor(data)
    assert said(findings, "FAULT", "folder", r"data can be read by others \(mode 0755\)")
    assert said(findings, "FAULT", "folder", r"refractr.db can be read by others \(mode 0644\)")
    for fault in [f for f in findings if f[0] == "FAULT"]:
        subprocess.run(fault[3].split(), check=True)  # what it says to do
    assert said(doctor(data), "fine", "folder", "alone")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_folder_of_somebody_else(data):
    os.chown(data / "refractr.db", 12345, 12345)
    assert said(doctor(data), "FAULT", "folder", "refractr.db belongs to 12345")
    os.chown(data, 12345, 12345)
    findings = doctor(data)
    assert said(findings, "FAULT", "folder", "data belongs to 12345")
    assert not any(f[1] == "store" for f in findings), "a store that is not ours is not opened: it would get files of the wrong owner"


def checkpoint(data):
    """All of the store in its one file, none in the log."""
    with sqlite3.connect(data / "refractr.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_store_that_is_no_database(data):
    checkpoint(data)
    (data / "refractr.db").write_bytes(b"not a database at all" * 1000)
    assert said(doctor(data), "FAULT", "store", "not a database")


def test_store_of_a_newer_program(data):
    with sqlite3.connect(data / "refractr.db") as db:
        db.execute("PRAGMA user_version = 99")
    assert said(doctor(data), "FAULT", "store", "use the newer program")


def test_damaged_store(data):
    for i in range(30):
        command("account", "create", f"account {i} " + "x" * 150, data=data)
    checkpoint(data)
    with sqlite3.connect(data / "refractr.db") as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_api_keys_1'").fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    with (data / "refractr.db").open("r+b") as file:
        file.seek((page - 1) * size + size // 2)
        file.write(b"\xff" * (size // 4))
    findings = doctor(data)
    assert said(findings, "FAULT", "store", "the database is damaged")
    assert not said(findings, "fine", "store", "")


def test_books_that_do_not_balance(data):
    with sqlite3.connect(data / "refractr.db") as db:
        account = db.execute("UPDATE accounts SET balance = balance + 1 RETURNING id").fetchone()[0]
    assert said(doctor(data), "FAULT", "store", f"do not balance: account {account}: balance 6, ledger 5")


def test_model(data, model, tmp_path):
    assert said(doctor(data, "--model", str(tmp_path / "none")), "FAULT", "model", "No model in")
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    config = (copy / "config.json").read_text()
    (copy / "config.json").write_text(re.sub(r'"sha256": *"[0-9a-f]+"', '"sha256": ""', config))
    findings = doctor(data, REFRACTR_MODEL=str(copy))
    assert said(findings, "warning", "model", "names no checksum") and said(findings, "fine", "model", "answers")
    (copy / "config.json").write_text("{")
    assert said(doctor(data, "--model", str(copy)), "FAULT", "model", "Cannot read the model's configuration")
    (copy / "config.json").write_text(config)
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))  # one bit
    assert said(doctor(data, "--model", str(copy)), "FAULT", "model", "(?i)sha-?256|checksum")


def test_settings(data, tmp_path):
    secret, packs = tmp_path / "secret", tmp_path / "packs.json"
    secret.write_text("sk_test_of_doctor\n")
    secret.chmod(0o644)
    packs.write_text('[{"id": "a", "credits": 0}]')
    stripe = ["--stripe-key-file", str(secret), "--stripe-webhook-secret-file", str(secret)]
    findings = doctor(data, *stripe, "--packs", str(packs), "--public-url", "refractr.example", "--webhook-retries", "soon", "--stub-engine",
                      "--webhook-allow-private")
    for verdict, words in (("FAULT", "--packs"), ("warning", "others can read it"), ("FAULT", "--public-url refractr.example is not"),
                           ("FAULT", "--webhook-retries"), ("FAULT", "--stub-engine"), ("warning", "--webhook-allow-private")):
        assert said(findings, verdict, "settings", words), words
    assert "sk_test_of_doctor" not in str(findings)
    assert said(doctor(data, "--stripe-key-file", str(tmp_path / "none")), "FAULT", "settings", "cannot read a secret from .*none")
    findings = doctor(data, "--host", "0.0.0.0", "--trust-proxy")
    assert said(findings, "warning", "settings", "unencrypted") and said(findings, "warning", "settings", "can claim any address")
    assert said(doctor(data, REFRACTR_PUBLIC_URL="https://refractr.example"), "warning", "settings", "count as one client")
    assert said(doctor(data, "--public-url", "https://refractr.example", "--trust-proxy"), "fine", "settings", "")


def test_limits(data):
    findings = doctor(data, "--threads", "1024", limit=(resource.RLIMIT_NOFILE, (1000, 1000)))
    assert said(findings, "FAULT", "limits", "1000 open files are allowed, 4096 connections need")
    assert said(findings, "warning", "limits", "1024 engine threads")
    findings = doctor(data, "--connections", "500", limit=(resource.RLIMIT_NOFILE, (1000, 1000)))
    assert not said(findings, "FAULT", "limits", "")


def test_limited_addresses(data):
    if "thread" in sanitizers():
        pytest.skip("ThreadSanitizer takes all addresses for itself and ends where they are limited")
    assert said(doctor(data, limit=(resource.RLIMIT_AS, (1 << 46, 1 << 46))), "warning", "limits", "addresses are limited")


def test_clock_that_went_back(data):
    os.utime(data / "refractr.db", (2**31, 2**31))
    assert said(doctor(data), "FAULT", "clock", "the store was written .* later")


def mounted(options, data):
    """A wrapper that puts the folder's files onto a small disk of their own, in a namespace that ends with the command."""
    script = f'cp -a "{data}" "{data}.kept" && mount -t tmpfs -o size=8m,mode=0700 none "{data}" && cp -a "{data}.kept/." "{data}" && {options} "$@"'
    wrapper = ["unshare", *([] if os.geteuid() == 0 else ["-Ur"]), "-m", "sh", "-c", script, "sh"]
    if subprocess.run([*wrapper, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount anything (unshare -m)")
    shutil.rmtree(pathlib.Path(f"{data}.kept"))
    return wrapper


def test_full_disk(data):
    findings = doctor(data, wrapper=mounted("", data))
    assert said(findings, "FAULT", "disk", "[0-7] MiB are free")
    assert said(findings, "warning", "disk", "lies in memory")


def test_read_only_disk(data):
    findings = doctor(data, wrapper=mounted(f'mount -o remount,ro "{data}" &&', data))
    assert said(findings, "FAULT", "disk", "read-only") and said(findings, "FAULT", "disk", "cannot write into")


def test_usage():
    for wrong in (["--no-such-option"], ["word"], ["--port", "x"]):
        assert subprocess.run([BINARY, "doctor", *wrong], capture_output=True).returncode == 2
    told = subprocess.run([BINARY, "doctor", "--help"], capture_output=True, text=True)
    assert told.returncode == 0 and "0 no fault" in told.stdout and "--data" in told.stdout
    assert "doctor" in subprocess.run([BINARY, "--help"], capture_output=True, text=True).stdout
