# The pages: embedded into the program; what their tests need, the tests alone, pictures of every page.
WEB_FILES := $(shell find web -type f) docs/openapi.json

# Made before assets.c is first compiled, when no list of headers names it yet.
$(BUILD)/gen/web/embedded.h: $(WEB_FILES) tools/embed.py
	$(say) GEN $@
	$(Q)python3 tools/embed.py $@
$(BUILD)/src/web/assets.o: $(BUILD)/gen/web/embedded.h

.PHONY: deps-browser deps-stripe test-browser screenshots docs-errors

deps-browser: tests/browser/node_modules/.installed ## install Chromium (apt) and the browser tests' packages (npm)
tests/browser/node_modules/.installed: tests/browser/package-lock.json
	@tools/deps.sh install browser
	cd tests/browser && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# The last version that Debian's Go, 1.19, builds.
deps-stripe: ## build stripe-mock, which the payment tests call, into build/tools (Go from Debian when none is there)
	@tools/deps.sh go build/tools/stripe-mock github.com/stripe/stripe-mock@v0.162.0

test-browser: all deps-browser deps-test ## the pages in a real browser, and the documentation's examples, against the program
	build/venv/bin/python -m pytest -q -rs tests/browser tests/docs

screenshots: all deps-browser deps-test ## pictures of every page into build/screenshots/, three of them into docs/
	build/venv/bin/python tools/screenshots/make.py

docs-errors: ## writes the table of error codes into web/docs/index.html from src/base/error.h
	@python3 tools/gen_error_docs.py
