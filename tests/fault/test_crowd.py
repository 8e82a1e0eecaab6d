"""The crowd's and the long run's short forms."""

import crowd
import pytest
import soak
from service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    made = Service(tmp_path_factory.mktemp("crowd") / "data", *crowd.OPTIONS).start()
    yield made
    made.stop()
    assert not crowd.check_books(made.data, whole=True)


def test_exactly_the_credits_there_are(service):
    assert crowd.credits(service, 300, 77)


@pytest.mark.parametrize("wait", [True, False])
def test_one_job_for_one_idempotency_key(service, wait):
    assert crowd.same_key(service, 100, wait)


def test_regenerate_during_traffic(service):
    assert crowd.regenerate(service, 1.5, 8)


def test_soak_in_small():
    """Too short for p99 to say anything: memory and descriptors."""
    wrong = soak.run(4000, 8, model=False, say=lambda *_, **__: None)
    assert not [line for line in wrong if not line.startswith("p99")]
