# The client libraries: installed as any user would, into folders of their own under build/, and tested there.
.PHONY: deps-clients test-clients

CLIENTS_PYTHON := build/clients-venv
CLIENTS_NODE   := build/clients-node
CLIENTS_JS     := $(wildcard tests/clients/javascript/*)

deps-clients: $(CLIENTS_PYTHON)/.installed $(CLIENTS_NODE)/.installed ## install the client libraries and their tests' packages below build/

$(CLIENTS_PYTHON)/.installed: tests/clients/requirements.txt $(shell find clients/python -type f -not -path '*/__pycache__/*')
	@tools/deps.sh install clients
	@tools/deps.sh venv $(CLIENTS_PYTHON) tests/clients/requirements.txt
	$(say) PIP clients/python
	$(Q)$(CLIENTS_PYTHON)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps ./clients/python
	$(Q)$(CLIENTS_PYTHON)/bin/python -m pip install --quiet --disable-pip-version-check ./clients/python
	@touch $@

$(CLIENTS_NODE)/.installed: $(CLIENTS_JS) $(shell find clients/javascript -type f)
	@tools/deps.sh install clients
	@mkdir -p $(CLIENTS_NODE)
	@cp $(CLIENTS_JS) $(CLIENTS_NODE)
	$(say) NPM clients/javascript
	$(Q)rm -f $(CLIENTS_NODE)/refractr-*.tgz
	$(Q)cd clients/javascript && npm pack --silent --pack-destination $(CURDIR)/$(CLIENTS_NODE) >/dev/null
	$(Q)cd $(CLIENTS_NODE) && npm install --no-audit --no-fund --loglevel=error && \
	    npm install --no-save --no-audit --no-fund --loglevel=error ./refractr-*.tgz
	@touch $@

test-clients: all deps-clients ## the Python and JavaScript clients against scripted answers and the program (PYTEST_ARGS=)
	$(CLIENTS_PYTHON)/bin/python -m pytest -q -rs tests/clients $(PYTEST_ARGS)
