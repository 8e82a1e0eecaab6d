# Several nodes on one PostgreSQL: figures. The server is the run's own (tools/postgres.sh).
.PHONY: bench-scale bench-bloat
SCALE_ARGS ?=
BLOAT_ARGS ?=

bench-scale: all deps-test ## 1, 2 and 4 nodes on one PostgreSQL: throughput, fairness, memory (SCALE_ARGS=--help)
	@tools/deps.sh install bench
	@build/venv/bin/python tools/bench_scale.py $(SCALE_ARGS)

bench-bloat: all deps-test ## what a million jobs leave behind in PostgreSQL, 10 minutes or so (BLOAT_ARGS=--help)
	@tools/deps.sh install bench
	@build/venv/bin/python tools/bench_bloat.py $(BLOAT_ARGS)
