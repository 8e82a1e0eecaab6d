"""Prometheus with the alerts of deploy/monitoring/alerts.yaml, watching a service that a test hurts: the hook by which a
test or a campaign shows that what it does would have called somebody.

    watcher = Prometheus(service, tmp_path)        # skips the test, saying why, where Prometheus or the alerts are missing
    service.kill()
    watcher.wait_for("RefractrDown")
    watcher.stop()

Time runs faster: every duration in the rules is divided by HURRY, so that five minutes are five seconds."""

import re
import subprocess
import time

import pytest
import requests
from service import ROOT, free_port

PROGRAM = ROOT / "build" / "tools" / "prometheus" / "usr" / "bin" / "prometheus"
RULES = ROOT / "deploy" / "monitoring" / "alerts.yaml"
HURRY = 60
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 400ms, evaluation_interval: 500ms}}
rule_files: ["{folder}/rules.yaml"]
scrape_configs:
  - job_name: refractr
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def hurried(rules):
    """The rules with every `for: 5m` and every range `[5m]` divided by HURRY."""
    faster = lambda match: f"{match[1]}{max(int(match[2]) * SECONDS[match[3]] * 1000 // HURRY, 1000)}ms"
    return re.sub(r"(\bfor: |\[)(\d+)([smhd])\b", faster, rules)


class Prometheus:
    def __init__(self, service, folder):
        if not RULES.exists():
            pytest.skip(f"{RULES.relative_to(ROOT)} is not there")
        if not PROGRAM.exists():
            pytest.skip(f"{PROGRAM.relative_to(ROOT)} is not there; run make deps-deploy")
        (folder / "rules.yaml").write_text(hurried(RULES.read_text()))
        (folder / "prometheus.yaml").write_text(CONFIG.format(folder=folder, port=service.port))
        self.url = f"http://127.0.0.1:{free_port(besides=service.port)}"
        self.log = folder / "prometheus.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([PROGRAM, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/tsdb",
                                             f"--web.listen-address={self.url.removeprefix('http://')}"], stdout=log, stderr=log)
        self.until(lambda: requests.get(self.url + "/-/ready", timeout=5).ok, "Prometheus is not ready", 60)

    def until(self, true, what, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            try:
                if true():
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"{what} within {seconds} s: {self.alerts()}")

    def alerts(self):
        """{name: "pending" or "firing"} of what is not quiet."""
        told = requests.get(self.url + "/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        return {alert["labels"]["alertname"]: alert["state"] for alert in told}

    def wait_for(self, name, seconds=60):
        self.until(lambda: self.alerts().get(name) == "firing", f"{name} does not fire", seconds)

    def wait_until_quiet(self, name, seconds=60):
        self.until(lambda: name not in self.alerts(), f"{name} does not end", seconds)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
