# Figures: sets -> answers of the program -> tables. Resumable: answers already given are kept in build/eval.
MODEL ?= $(abspath models/refractr-mini)
MEASURE ?= $(TRAIN_DATA)/measure
RIVALS_VENV := build/rivals-venv

.PHONY: eval eval-quick eval-calibrate eval-curve eval-rivals

eval: all train-deps ## measures the shipped model on every set; tables on the terminal and in the README (MODEL=, MEASURE=)
	$(TRAIN_PYTHON) eval/run.py --predictor refractr --model $(MODEL) --measure $(MEASURE) --readme README.md

eval-quick: train-deps ## one line of held-out scores of a model within a minute (MODEL=)
	$(TRAIN_PYTHON) eval/quick.py --model $(MODEL) --data $(TRAIN_DATA)

eval-calibrate: train-deps ## fits confidence and thresholds on held-out data, into the model's config.json (MODEL=)
	$(TRAIN_PYTHON) eval/calibrate.py --model $(MODEL) --data $(TRAIN_DATA)

eval-curve: train-deps ## draws a training run's log (RUN=)
	$(TRAIN_PYTHON) eval/curve.py $(RUN) --out $(RUN)/curve.png

eval-rivals: train-deps deps-llama ## SmolLM2-135M and Gemma-3-270M on the business documents (builds llama.cpp once)
	test -d $(RIVALS_VENV) || python3 -m venv $(RIVALS_VENV)
	$(RIVALS_VENV)/bin/python -m pip install --quiet -r eval/rivals.txt
	$(RIVALS_VENV)/bin/python eval/rivals.py
