# Faults on purpose: the library that makes calls fail, and the campaigns that use it. Short forms run in `make test`.
.PHONY: fault-shim torture crash soak crowd tsan-test

FAULT_SHIM := build/fault/shim.so
TORTURE ?=
CRASH   ?=
SOAK    ?=
CROWD   ?=

fault-shim: $(FAULT_SHIM)

# SQLite names its calls itself: the shim stands before libsqlite3, so calls of the program and of SQLite both meet it.
# What it calls by plain name, such as PQclear, it takes from the program it is loaded into.
$(FAULT_SHIM): tests/fault/shim.c
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) -D_GNU_SOURCE -std=c17 -O1 -g -Wall -Wextra -Werror -Wno-nonnull-compare $(PKGCFLAGS) -fPIC -shared -fno-builtin -o $@ $< -ldl -lpthread

torture: all fault-shim deps-test ## every allocation, disk, network and SQL call of every endpoint fails once (TORTURE="--help")
	$(PYTHON) tests/fault/torture.py $(TORTURE)

crash: all fault-shim deps-test ## kill -9 at 2,000 points under load, with what must hold after each (CRASH="--help")
	$(PYTHON) tests/fault/crash.py $(CRASH)

crowd: all deps-test ## a thousand callers at once: credits, idempotency keys, key regeneration (CROWD="--help")
	$(PYTHON) tests/fault/crowd.py $(CROWD)

soak: all deps-test ## a million stubbed requests and 50,000 real ones: memory, descriptors, p99 (SOAK="--help")
	$(PYTHON) tests/fault/soak.py $(SOAK)

# Left out: the longest document takes the model, a hundred times slower here, more than the test's 500 s on two cores.
tsan-test: tsan deps-test ## the tests over the wire against the ThreadSanitizer build
	REFRACTR_BINARY=build-tsan/refractr TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp halt_on_error=1" \
	    $(PYTHON) -m pytest tests/api tests/web -q -rs \
	    --deselect tests/api/test_texts.py::test_longest_document_and_largest_template $(PYTEST_ARGS)
