"""The JavaScript client: its own tests by Node's runner, and its types, in build/clients-node, where it is installed."""

import json
import os
import subprocess

import pytest
from service import ROOT

FOLDER = ROOT / "build" / "clients-node"


def node(*arguments, **environment):
    done = subprocess.run(arguments, cwd=FOLDER, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["calls", "schema", "webhooks"])
def test_without_the_service(name):
    assert "# fail 0" in node("node", "--test", "--test-reporter=tap", f"{name}.test.mjs")


def test_against_the_service(service, key):
    told = node("node", "--test", "--test-reporter=tap", "service.test.mjs", REFRACTR_API_KEY=key, REFRACTR_BASE_URL=service.url)
    assert "# pass 3" in told


def test_types():
    node("node_modules/.bin/tsc", "--noEmit", "-p", ".")


def test_types_and_code_export_the_same_names():
    code = """
        import { readFileSync } from "node:fs";
        const types = readFileSync("node_modules/refractr/src/index.d.ts", "utf8");
        const told = [...types.matchAll(/^export (?:class|function) (\\w+)/gm)].map((m) => m[1]).sort();
        console.log(JSON.stringify([told, Object.keys(await import("refractr")).sort()]));
    """
    told, exported = json.loads(node("node", "--input-type=module", "-e", code))
    assert told == exported and "Refractr" in told


def test_the_readmes_example_runs(service, key):
    """The first block of the README as it stands; the service and the key come from the environment."""
    readme = (ROOT / "clients/javascript/README.md").read_text()
    code = readme.split("```js\n")[1].split("```")[0].replace('{ apiKey: "dm_..." }', "")
    told = node("node", "--input-type=module", "-e", code, REFRACTR_API_KEY=key, REFRACTR_BASE_URL=service.url)
    assert told.strip() == "{ invoice_number: null, date: null, total_amount: null }"
