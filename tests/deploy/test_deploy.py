"""deploy/: every file is held to the tool or schema of its kind, and to the program: its options, its metrics, its libraries.

No container engine, cluster or Grafana is asked; what only they can show is not shown here. hadolint and kubernetes-validate (with
the schemas of Kubernetes in the package) come from PyPI, dclint (with the compose specification's schema) from npm, promtool from
Debian's prometheus; `make deps-deploy` fetches them."""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import requests
import yaml
from service import BINARY, ROOT, extract, get

DEPLOY = ROOT / "deploy"
HERE = pathlib.Path(__file__).parent
BIN = pathlib.Path(sys.executable).parent
DCLINT = HERE / "node_modules" / ".bin" / "dclint"
COMPOSE = sorted((DEPLOY / "docker").glob("compose*.yaml"))
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
PROMTOOL = ROOT / "build" / "tools" / "prometheus" / "usr" / "bin" / "promtool"
ALERTS = DEPLOY / "monitoring" / "alerts.yaml"


def tool(*command, **options):
    """Runs a checker; returns (exit status, what it printed). Skips where it is not installed."""
    if not (shutil.which(command[0]) or pathlib.Path(command[0]).exists()):
        pytest.skip(f"{command[0]} is not installed; run make deps-deploy")
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120, **options)
    return done.returncode, done.stdout + done.stderr


def accepts(*command, **options):
    status, told = tool(*command, **options)
    assert status == 0, told


def refuses(*command, **options):
    assert tool(*command, **options)[0] != 0, "the checker lets this pass"


def changed(path, old, new, folder):
    """A copy of a file with a fault put in: shows that its checker sees such faults."""
    text = path.read_text()
    assert old in text
    copy = folder / path.name
    copy.write_text(text.replace(old, new, 1))
    return copy


# ---- Docker ----


def test_dockerfile(tmp_path):
    path = DEPLOY / "docker" / "Dockerfile"
    accepts(BIN / "hadolint", path)
    refuses(BIN / "hadolint", changed(path, "--no-install-recommends", "", tmp_path))


@pytest.mark.parametrize("path", COMPOSE, ids=lambda p: p.name)
def test_compose(path, tmp_path):
    accepts(DCLINT, "-c", HERE / ".dclintrc.yaml", path)
    refuses(DCLINT, "-c", HERE / ".dclintrc.yaml", changed(path, "restart:", "restrat:", tmp_path))


def test_the_image_has_the_libraries_the_program_needs():
    dockerfile = (DEPLOY / "docker" / "Dockerfile").read_text()
    status, dynamic = tool("readelf", "-d", ROOT / "build" / "refractr" if (ROOT / "build" / "refractr").exists() else BINARY)
    needed = re.findall(r"NEEDED.*\[(.+)\]", dynamic)
    assert status == 0 and "libsqlite3.so.0" in needed
    for library in needed:
        if re.match(r"lib(asan|ubsan|tsan|stdc\+\+|gcc_s)\.", library):
            continue
        owners = tool("dpkg", "-S", f"*/{library}")[1]
        packages = {line.split(":")[0] for line in owners.splitlines() if ": " in line}
        assert "libc6" in packages or any(re.search(rf"\s{re.escape(p)}\s", dockerfile) for p in packages), f"{library} of {packages}"


def test_everything_the_build_copies_is_let_into_the_context():
    ignored = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text()
    kept = {line[1:] for line in ignored.splitlines() if line.startswith("!")}
    assert {"Makefile", "mk", "tools", "src", "web", "docs", "models", "deploy/refractr.service.in"} == kept
    assert all((ROOT / k).exists() for k in kept)


# ---- Kubernetes ----


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.name)
def test_kubernetes(path, tmp_path):
    accepts(BIN / "kubernetes-validate", "--strict", "-k", "1.37", path)
    refuses(BIN / "kubernetes-validate", "--strict", "-k", "1.37", changed(path, "containerPort:", "containerPrt:", tmp_path))


def pods():
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] in ("Deployment", "StatefulSet"):
                yield pytest.param(document, id=f"{path.name}-{document['metadata']['name']}")


@pytest.mark.parametrize("workload", list(pods()))
def test_pods_select_their_own_are_locked_down_and_probed(workload):
    template = workload["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
    spec = template["spec"]
    assert spec["automountServiceAccountToken"] is False
    volumes = {v["name"] for v in spec.get("volumes", []) + [t["metadata"] for t in workload["spec"].get("volumeClaimTemplates", [])]}
    for container in spec["containers"] + spec.get("initContainers", []):
        locked = container["securityContext"]
        assert locked["allowPrivilegeEscalation"] is False and locked["capabilities"]["drop"] == ["ALL"]
        assert "memory" in container["resources"]["limits"] and {m["name"] for m in container["volumeMounts"]} <= volumes
    assert all("readinessProbe" in c for c in spec["containers"])


# ---- the program's command line, as the files use it ----


def command_lines():
    """(file, argument list) of every place where a file of deploy/ runs the program."""
    for path in COMPOSE:
        for name, service in yaml.safe_load(path.read_text())["services"].items():
            if service.get("image", "").startswith("refractr"):
                yield pytest.param(service["command"], id=f"{path.name}-{name}")
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text()):
            spec = document.get("spec", {}).get("template", {}).get("spec", {})
            for container in spec.get("containers", []) + spec.get("initContainers", []):
                if "refractr" in container["image"]:
                    yield pytest.param(container["args"], id=f"{path.name}-{document['metadata']['name']}-{container['name']}")


@pytest.mark.parametrize("args", list(command_lines()))
def test_options_exist(args):
    """--help of each command knows every option the files give it."""
    done = subprocess.run([BINARY, args[0], "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    known = set(re.findall(r"^  (--[a-z-]+)", done.stdout, re.M))
    used = {a for a in args if a.startswith("--")}
    assert used <= known, f"{shlex.join(args)}: no such option: {used - known}"


# ---- monitoring ----


@pytest.fixture(scope="module")
def exported(service):
    """/metrics of a service that has answered, as {name: [labels]}."""
    assert extract(service, service.key).status_code == 200 and extract(service, "x").status_code == 401
    get(service, service.key, "/api/v1/account/")
    requests.get(f"{service.url}/web/v1/session", timeout=30)
    metrics = {}
    for line in requests.get(f"{service.url}/metrics", timeout=30).text.splitlines():
        found = re.match(r"([a-z_]+)(?:\{(.*)\})? \S+$", line)
        if found:
            metrics.setdefault(found[1], []).append(dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")))
    return metrics


def expressions():
    """(where, PromQL) of every alert and of every panel of the board, Grafana's variables filled in."""
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for panel in json.loads((DEPLOY / "monitoring" / "grafana.json").read_text())["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")


def test_every_metric_of_board_and_alerts_is_exported(exported):
    for where, expression in expressions():
        selectors = re.findall(r"(?<![\w\"/])(refractr_[a-z_]+|up)(?:\{([^}]*)\})?", expression)
        assert selectors, where
        for name, matchers in selectors:
            if name == "up":
                continue
            assert name in exported, f"{where}: /metrics has no {name}"
            for label, kind, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', matchers):
                if label == "instance":
                    continue
                found = [m.get(label) for m in exported[name]]
                assert None not in found, f"{where}: {name} has no label {label}"
                if label in ("route", "method"):
                    assert any(re.fullmatch(value, v) if kind == "=~" else v == value for v in found), f"{where}: {label}={value}"


def test_alerts(tmp_path):
    accepts(PROMTOOL, "check", "rules", ALERTS)
    accepts(PROMTOOL, "test", "rules", ALERTS.with_suffix(".test.yaml"))
    shutil.copy(ALERTS.with_suffix(".test.yaml"), tmp_path)
    changed(ALERTS, "> 256", "> 1256", tmp_path)
    refuses(PROMTOOL, "test", "rules", tmp_path / "alerts.test.yaml")


def test_alerts_say_what_to_do():
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket") and {"summary", "action"} == set(rule["annotations"])


def test_the_board_is_whole_and_its_questions_are_promql(tmp_path):
    board = json.loads((DEPLOY / "monitoring" / "grafana.json").read_text())
    panels = board["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    cells = [(x, y) for p in panels for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
             for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24, "panels lie over one another"
    rules = [{"record": f"panel:{i}", "expr": e} for i, (_, e) in enumerate(expressions())]
    (tmp_path / "board.yaml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    accepts(PROMTOOL, "check", "rules", tmp_path / "board.yaml")
