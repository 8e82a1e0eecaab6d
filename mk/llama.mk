# A real language model server for the tests: llama.cpp's, with a small model. Built once, ten minutes and more; kept in build/llama.
LLAMA := build/llama

.PHONY: deps-llama test-llama

deps-llama: ## build llama-server and fetch SmolLM2-135M for `make test-llama` (LLAMA_JOBS=2)
	@tools/deps.sh install llama
	@tools/llama_server.sh $(LLAMA)

test-llama: all deps-llama deps-test ## the engines remote and auto against a real llama-server
	build/venv/bin/python -m pytest -q -rs -s tests/remote/test_llama.py $(PYTEST_ARGS)
