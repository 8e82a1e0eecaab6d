# Hostile clients at full size: the tests of tests/api that run small in `make test`, with thousands of connections and more
# examples, printing what they measured.
.PHONY: abuse

ABUSE_SCALE ?= 20
ABUSE_TESTS := tests/api/test_smuggling.py tests/api/test_nginx.py tests/api/test_slow.py tests/api/test_abuse.py tests/api/test_openapi.py

abuse: all deps-test ## smuggling, slow clients in thousands, bombs, schemathesis: some 15 minutes, figures printed (PYTEST_ARGS=)
	ABUSE_SCALE=$(ABUSE_SCALE) SCHEMATHESIS_EXAMPLES=300 build/venv/bin/python -m pytest -q -s -rs $(ABUSE_TESTS) $(PYTEST_ARGS)
