"""Fixtures: the real program, started once for most tests, afresh for those that hurt it."""

import pytest
from postgres import Postgres
from service import BINARY, MODEL, UNLIMITED, Service


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not built; run make first", returncode=2)


def pytest_generate_tests(metafunc):
    """A module that names STORES has its tests run on each of them."""
    stores = getattr(metafunc.module, "STORES", None)
    if stores and "new_store" in metafunc.fixturenames:
        metafunc.parametrize("new_store", stores, indirect=True, scope="session")


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server for tests that leave it running."""
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def new_store(request):
    """Gives the URL of a new, empty place on PostgreSQL, or None where the store is SQLite."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return lambda: None
    return request.getfixturevalue("postgres").place


@pytest.fixture(scope="session")
def service(tmp_path_factory, new_store):
    """One service with the stub engine, for tests that leave it as they found it. Has an account and a `key`."""
    s = Service(tmp_path_factory.mktemp("shared") / "data", *UNLIMITED, store=new_store()).start()
    s.account_id, s.key = s.account()
    yield s
    s.stop()


@pytest.fixture(scope="session")
def model():
    if not (MODEL / "model.safetensors").exists():
        pytest.skip(f"the model is not there: {MODEL}")
    return MODEL


@pytest.fixture
def make_model_service(make_service, model):
    """As make_service, with the real model."""
    return lambda *options: make_service(*UNLIMITED, "--model", str(model), *options, stub=False)


@pytest.fixture(scope="session")
def model_service(tmp_path_factory, model):
    """One service with the real model."""
    s = Service(tmp_path_factory.mktemp("model") / "data", *UNLIMITED, "--model", str(model), stub=False).start()
    s.account_id, s.key = s.account()
    yield s
    s.stop()


@pytest.fixture
def make_service(tmp_path, new_store):
    """Makes services with options of the test's own; what still runs at the end is stopped."""
    made = []

    def make(*options, stub=True):
        s = Service(tmp_path / f"data{len(made)}", *options, stub=stub, store=new_store()).start()
        made.append(s)
        return s

    yield make
    for s in made:
        if s.process.poll() is None:
            s.kill()


@pytest.fixture
def key(service):
    """A key of an account of the test's own."""
    return service.account()[1]
