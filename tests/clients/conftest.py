"""The client libraries' tests run in an environment of their own (build/clients-venv, where `make test-clients` installs the
Python client as any user would); elsewhere nothing is collected here, and `make test` calls that target."""

import importlib.util

import pytest

INSTALLED = importlib.util.find_spec("refractr") is not None
collect_ignore_glob = [] if INSTALLED else ["test_*.py"]

if INSTALLED:
    from scripted import ScriptedServer

    @pytest.fixture
    def server():
        """A server that gives the answers a test hands it, and keeps what it was asked."""
        with ScriptedServer() as s:
            yield s
