# Everything runs in .venv, which the first target that needs it makes: an interrupted set-up is
# taken up again by the next run, a finished one is repeated only when its inputs change.

ifndef PYTHON
PYTHON := $(firstword $(foreach p,python3.11 python3 python3.12,$(shell $(p) -c \
    'import sys; sys.version_info[:2] in ((3, 11), (3, 12)) and print("$(p)")' 2>/dev/null)) python3)
endif
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python

# Two OpenMP threads beside another busy process can slow small networks down twentyfold; the demos
# take all cores, for they run alone. Whoever sets OMP_NUM_THREADS decides for all.
ifeq ($(origin OMP_NUM_THREADS),undefined)
THREADS = OMP_NUM_THREADS=$(CORES)
endif
export OMP_NUM_THREADS ?= 1
BUSY = Beside other work one thread is faster: OMP_NUM_THREADS=1 make $@

# The shipped model that the demo runs on held-out drawn crowds; photographs get the default one.
CROWD_MODEL := pinet_hrnet-slim_crowdsynth
HELD_OUT := data/crowdsynth_128
DEMO := work_dirs/demo
# The demo that trains.
TRAIN_CONFIG := configs/pinet_hrnet-slim_crowdsynth_demo.py
TRAINED := work_dirs/demo-train
CROWD := data/crowdsynth/annotations
CORES := $(shell n=$$(nproc); echo $$((n < 8 ? n : 8)))

# uv is several times as fast as pip; it reads other variables than pip for where packages are.
UV := $(shell command -v uv 2>/dev/null)
ifneq ($(UV),)
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
MAKE_VENV = $(UV) venv --quiet --allow-existing --seed --python $(PYTHON) $(VENV)
INSTALL = $(UV) pip install --python $(RUN)
else
MAKE_VENV = $(PYTHON) -m venv $(VENV)
INSTALL = $(RUN) -m pip install
endif

# Upright people who are large in the image: what a few minutes of training can learn.
IMAGES_train := 1500
IMAGES_val := 200
$(CROWD)/%.json: | $(READY)
	$(RUN) tools/make_crowdsynth.py data/crowdsynth --split $* --images $(IMAGES_$*) \
	    --size 128 128 --persons 2 4 --height 0.7 0.95 --poses standing walking arms_up \
	    --views front back --plain --workers $(CORES)

# Two of the held-out images.
SHOWN := 000004.jpg 000007.jpg
ON_HELD_OUT = --cfg-options test_dataloader.dataset.data_root=$(HELD_OUT)/ \
    test_dataloader.dataset.ann_file=annotations/test.json \
    test_dataloader.dataset.data_prefix.img=images/test/ \
    test_evaluator.ann_file=$(HELD_OUT)/annotations/test.json
$(HELD_OUT)/annotations/test.json: | $(READY)
	$(RUN) tools/make_crowdsynth.py $(HELD_OUT) --split test --images 500 --size 128 128 \
	    --persons 2 4 --height 0.7 1.0 --workers $(CORES)

print_ap = $(RUN) -c "import json; m = json.load(open('$(1)/metrics.json')); print( \
    f'AP {m[\"coco/AP\"]:.3f}, AP50 {m[\"coco/AP .5\"]:.3f} on held-out drawn crowds')"

# A worker holds about a gigabyte; a file's tests stay together, for they share models and wheels.
WORKERS := $(shell n=$$(nproc); echo $$((n < 4 ? n : 4)))

.PHONY: help setup demo demo-train test soak bench matrix lint types docs wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv with the exact versions of requirements.txt

demo: $(READY) $(HELD_OUT)/annotations/test.json  ## find people in photographs and, before and after fusion, in drawn crowds; AP
	@echo "This takes 2 to 4 minutes on two idle cores. $(BUSY)"
	$(THREADS) $(RUN) tools/demo.py $(addprefix $(HELD_OUT)/images/test/,$(SHOWN)) \
	    --crowd-model $(CROWD_MODEL) --out $(DEMO)
	$(THREADS) $(RUN) tools/test.py configs/$(CROWD_MODEL).py \
	    pinet_mm/weights/$(CROWD_MODEL).pth --work-dir $(DEMO) --out $(DEMO)/metrics.json \
	    $(ON_HELD_OUT)
	@$(call print_ap,$(DEMO))
	@echo "Now open $(DEMO)/demo.jpg: photographs, and drawn crowds before and after fusion"

demo-train: $(READY) $(CROWD)/train.json $(CROWD)/val.json  ## train a small PINet on a drawn crowd in minutes, draw its poses
	@echo "The training takes minutes on idle cores. $(BUSY)"
	$(THREADS) $(RUN) tools/train.py $(TRAIN_CONFIG) --amp --no-validate --work-dir $(TRAINED)
	$(THREADS) $(RUN) tools/test.py $(TRAIN_CONFIG) $(TRAINED)/epoch_4.pth \
	    --work-dir $(TRAINED) --out $(TRAINED)/metrics.json
	$(THREADS) $(RUN) tools/infer.py data/crowdsynth/images/val/00000*.jpg \
	    data/crowdsynth/images/val/00001[01].jpg \
	    --config $(TRAIN_CONFIG) --checkpoint $(TRAINED)/epoch_4.pth --out $(TRAINED)/poses
	@$(call print_ap,$(TRAINED))
	@echo "Now open $(TRAINED)/poses/overview.jpg"

test: $(READY)  ## run the tests, except those marked slow
	$(RUN) -m pytest -q -n $(WORKERS) --dist loadfile

# What is counted is not counted again: remove the folder to begin anew.
SOAK := work_dirs/soak
soak: $(READY)  ## broken maps, hostile files, kills, full disks, long runs; an hour: work_dirs/soak
	rm -rf $(SOAK)/journal $(SOAK)/one $(SOAK)/two
	$(RUN) -m tests.helpers.random_maps --count 20000 --counts $(SOAK)/maps.json
	$(RUN) -m tests.helpers.watching $(SOAK)/hostile --counts $(SOAK)/hostile.json
	$(RUN) -m tests.helpers.journal_attack $(SOAK)/journal --kills 30 --counts $(SOAK)/journal.json
	$(RUN) -m tests.helpers.long_runs --counts $(SOAK)/long.json
	$(RUN) -m tests.helpers.soak $(SOAK)/one --kills 30 --counts $(SOAK)/one.json
	$(RUN) -m tests.helpers.soak $(SOAK)/two --kills 30 --processes 2 --counts $(SOAK)/two.json
	$(RUN) -m tests.helpers.robustness --count --take $(SOAK)

bench: $(READY)  ## measure speed and memory beside plain loops and MMPose: work_dirs/benchmark
	$(RUN) tools/benchmark.py all $(BENCH)

matrix: $(READY)  ## install and run the package in every Python that is found (hours, gigabytes): docs/platforms.json
	$(RUN) -m studies.platforms.matrix

lint: $(READY)  ## check style, format and Dockerfiles, and compile every file
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/hadolint docker/Dockerfile docker/Dockerfile.train
	$(RUN) -m compileall -q pinet_mm studies configs tools tests setup.py

types: $(READY)  ## check the type annotations
	$(RUN) -m mypy

# The variable hides a notice that concerns another version of MkDocs.
docs: $(READY)  ## build the documentation site; open site/index.html
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet

wheel: $(READY)  ## build dist/pinet_mm-*.whl, which mim understands
	rm -rf build
	$(RUN) -m pip wheel --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## remove what was built, but keep .venv
	rm -rf build dist site pinet_mm.egg-info __pycache__ .mypy_cache .pytest_cache .ruff_cache
	find pinet_mm studies configs tools tests -name __pycache__ -exec rm -rf {} +

$(READY): requirements.txt setup.cfg
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' || { \
	  echo "$(PYTHON) is not Python 3.11 or 3.12: run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing into $(VENV): torch alone is 0.2 GB (CPU build) to 3 GB (CUDA build)."
	$(MAKE_VENV)
	$(INSTALL) -r requirements.txt
	$(INSTALL) --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	$(RUN) -m pinet_mm.cli install-mmpose
	@touch $@
