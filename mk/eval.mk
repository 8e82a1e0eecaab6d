# Figures: sets -> answers of the program -> tables. Resumable: answers already given are kept in build/eval, the rivals' in build/rivals.
MODEL ?= $(abspath models/refractr-mini)
WEIGHTS ?= $(abspath train/weights/mini)
MEASURE ?= $(TRAIN_DATA)/measure
RIVALS_VENV := build/rivals-venv

.PHONY: eval eval-quick eval-calibrate eval-curve eval-rivals golden

eval: all train-deps ## measures the shipped model on every set; tables on the terminal and in the README (MODEL=, MEASURE=)
	$(TRAIN_PYTHON) eval/run.py --predictor refractr --model $(MODEL) --measure $(MEASURE) --readme README.md

eval-quick: train-deps ## one line of held-out scores of a run's weights within a minute (WEIGHTS=)
	$(TRAIN_PYTHON) eval/quick.py --model $(WEIGHTS) --data $(TRAIN_DATA)

eval-calibrate: train-deps ## fits confidence and thresholds on held-out data, into config.json of the fp16 weights and of what was made of them (WEIGHTS=, MODEL=)
	$(TRAIN_PYTHON) eval/calibrate.py --model $(WEIGHTS) --into $(MODEL) --data $(TRAIN_DATA)

eval-curve: train-deps ## draws a training run's log (RUN=)
	$(TRAIN_PYTHON) eval/curve.py $(RUN) --out $(RUN)/curve.png

eval-rivals: all train-deps deps-llama ## SmolLM2-135M and Gemma-3-270M on samples of every set; table into the README (builds llama.cpp once; an hour)
	test -d $(RIVALS_VENV) || python3 -m venv $(RIVALS_VENV)
	$(RIVALS_VENV)/bin/python -m pip install --quiet -r eval/rivals.txt
	$(RIVALS_VENV)/bin/python eval/rivals.py --measure $(MEASURE) --readme README.md

golden: train-deps ## writes tests/data/golden.jsonl.gz, what the reference finds with the shipped weights (MODEL=)
	$(TRAIN_PYTHON) eval/golden.py --model $(MODEL)
