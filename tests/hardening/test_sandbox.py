"""The systemd unit: how exposed systemd-analyze finds it, and the service at work under the same rules: its seccomp
filter, its address families, no new privileges, no capabilities, everything read-only but the data folder.

systemd itself does not run in a container, so bubblewrap builds the walls and filter.py the filter, from the unit's text."""

import ast
import json
import pathlib
import platform
import shutil
import subprocess
import sys

import pytest
from service import MODEL, ROOT, UNLIMITED, Service, command, extract

sys.path.insert(0, str(ROOT / "tests" / "web"))
from pages import Visitor, token_of  # noqa: E402
from test_webhooks import Receiver  # noqa: E402

HERE = pathlib.Path(__file__).parent
EXPOSURE_MOST = 1.1  # systemd-analyze's figure for the unit; 10 is no protection at all. See SECURITY.md for what is left


@pytest.fixture(scope="module")
def unit(tmp_path_factory):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed (package systemd)")
    file = tmp_path_factory.mktemp("unit") / "refractr.service"
    file.write_text((ROOT / "deploy" / "refractr.service.in").read_text().replace("@PREFIX@", "/usr"))
    return file


def test_exposure(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE_MOST * 10:.0f}", unit],
                          capture_output=True, text=True, timeout=60)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot judge a file (--offline came with version 250)")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert not [line for line in done.stderr.splitlines() if "nknown key" in line or "nvalid" in line], done.stderr


@pytest.fixture(scope="module")
def walls(unit, tmp_path_factory):
    """folder -> the words before a command that runs it inside, with this folder writable."""
    if not shutil.which("bwrap"):
        pytest.skip("bwrap is not installed; run make deps-test")
    program = tmp_path_factory.mktemp("filter") / "filter.bpf"
    made = subprocess.run(["/usr/bin/python3", HERE / "filter.py", unit, program], capture_output=True, text=True, timeout=60)
    if "No module named 'seccomp'" in made.stderr:
        pytest.skip("python3-seccomp is not installed; run make deps-test")
    assert made.returncode == 0, made.stderr

    def inside(folder):
        return ["sh", "-c", f'exec bwrap --seccomp 9 "$@" 9<"{program}"', "sh", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
                "--tmpfs", "/tmp", "--tmpfs", "/root", "--tmpfs", "/home", "--ro-bind", str(ROOT), str(ROOT), "--bind", str(folder), str(folder),
                "--unshare-user", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL", "--die-with-parent", "--"]

    folder = tmp_path_factory.mktemp("probe")
    done = subprocess.run([*inside(folder), "true"], capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip(f"this machine does not let bwrap build walls: {done.stderr.strip()}")
    return inside


PROBE = """
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def word(call):
    try:
        return call() or "allowed"
    except OSError as e:
        return errno.errorcode[e.errno]
def raw(number, *args):
    def call():
        if libc.syscall(number, *args) < 0: raise OSError(ctypes.get_errno(), "")
    return call
print(*[word(call) for call in (
    lambda: open("/etc/probe", "w"), lambda: open(sys.argv[1] + "/probe", "w").close(),
    lambda: socket.socket(socket.AF_INET).close(), lambda: socket.socket(socket.AF_INET6).close(), lambda: socket.socket(socket.AF_UNIX).close(),
    lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(), lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    raw(165, 0, 0, 0, 0, 0),        # mount
    raw(101, 0, 0, 0, 0),           # ptrace
    raw(250, 0, 0, 0, 0, 0),        # keyctl
    raw(321, 0, 0, 0),              # bpf
    raw(298, 0, 0, 0, 0, 0),        # perf_event_open
    raw(169, 0, 0, 0, 0),           # reboot
    raw(105, 0),                    # setuid
    raw(175, 0, 0, 0),              # init_module
)])
print([line.split()[1] for line in open("/proc/self/status") if line.startswith(("NoNewPrivs", "Seccomp:", "CapEff"))])
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the probe's system calls are numbered for x86-64")
def test_the_walls_hold(walls, tmp_path):
    done = subprocess.run([*walls(tmp_path), "/usr/bin/python3", "-c", PROBE, tmp_path], capture_output=True, text=True, timeout=60)
    words, state = done.stdout.splitlines()
    assert words.split() == ["EROFS", *["allowed"] * 4, *["EPERM"] * 10], done.stdout + done.stderr
    assert sorted(ast.literal_eval(state)) == ["0000000000000000", "1", "2"], "no capabilities, no new privileges, filtered"


class Walled(Service):
    """bwrap stays as the parent of the program; signals are for the child."""

    def signal(self, number):
        pid = self.process.pid
        child = int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text())
        subprocess.run(["kill", f"-{int(number)}", str(child)], check=True)


@pytest.mark.skipif(not (MODEL / "model.safetensors").exists(), reason=f"the model is not there: {MODEL}")
def test_the_service_works_inside(walls, tmp_path):
    """Everything that calls the system in a way of its own: the engine's generated code, argon2id, SQLite's shared memory,
    libcurl's resolver and sockets, the drain at the end."""
    data, receiver = tmp_path / "data", Receiver()
    made = json.loads(command("account", "create", "m", "--credits", "9", "--email", "m@example.org", data=data))
    service = Walled(data, *UNLIMITED, "--model", str(MODEL), "--webhook-allow-private", stub=False, wrapper=walls(data),
                     binary=ROOT / "build" / "refractr").start()
    try:
        visitor = Visitor(service)
        assert visitor.enter("signin-link", {"token": token_of(made)}).status_code == 200
        visitor.post("password", {"password": "walls and a door"})
        assert Visitor(service).enter("session", {"email": "m@example.org", "password": "walls and a door"}).status_code == 200
        visitor.post("webhooks", {"url": receiver.url.replace("127.0.0.1", "localhost")}, 201)
        answer = extract(service, made["api_key"])
        assert answer.json()["extracted_data"]["invoice_number"] == "2847", answer.text
        assert json.loads(receiver.wait()[0][2])["data"]["job_id"] == answer.json()["job_id"]
        assert visitor.get("billing")["credits"]["available"] == 8
        service.stop()
    finally:
        if service.process.poll() is None:
            service.kill()
