# Refractr: build, test, run. `make help` lists the targets.
#
# Every variant (normal, asan, tsan) builds all of src/ into its own folder: objects, one archive and the program. Unit
# tests link against the archive, so a test may include the .c file it looks into without symbols clashing.

VERSION  := 0.1.0
PREFIX   ?= /usr/local
DESTDIR  ?=
CC       ?= gcc
CLANG    ?= clang
PORT     ?= 8080
DATA     ?= data
PYTHON   ?= build/venv/bin/python

PACKAGES := libmicrohttpd jansson dnnl sqlite3 libsodium libcurl libpq
VARIANT  ?=
# V=1 shows whole command lines.
Q   := $(if $(V),,@)
say := @$(if $(V),:,echo ' ')
BUILD    := build$(if $(VARIANT),-$(VARIANT))

WARNINGS  := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
LDHARDEN  := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack

OPT_      := -O2 -g -D_FORTIFY_SOURCE=3
OPT_asan  := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
OPT_tsan  := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
OPT_fuzz  := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link
OPT_cov   := -O1 -g -fprofile-instr-generate -fcoverage-mapping
ifneq ($(filter fuzz cov,$(VARIANT)),)
CC        := $(CLANG)
endif
OPT       := $(OPT_$(VARIANT))

PKGCFLAGS  = $(shell pkg-config --cflags jansson sqlite3 libsodium libcurl libmicrohttpd libpq 2>/dev/null)
CPPFLAGS  := -D_GNU_SOURCE -DREFRACTR_VERSION='"$(VERSION)"' -Isrc -I$(BUILD)/gen -MMD -MP
CFLAGS    += -std=c17 $(OPT) $(WARNINGS) $(HARDENING) $(PKGCFLAGS)
LDFLAGS   += $(LDHARDEN) $(OPT)
LDLIBS    := -lmicrohttpd -ljansson -ldnnl -lsqlite3 -lsodium -lcurl -lpq -lz -lpthread -lm

SOURCES := $(sort $(shell find src -name '*.c'))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
LIBRARY := $(BUILD)/librefractr.a
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
REPLAY  := $(patsubst tests/fuzz/%.c,$(BUILD)/replay/%,$(wildcard tests/fuzz/fuzz_*.c))

.DEFAULT_GOAL := all
.PHONY: all asan tsan deps deps-test run test unit unit-run lint bench install uninstall clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/refractr ## build build/refractr (the default)

asan: ## build build-asan/refractr with AddressSanitizer and UndefinedBehaviorSanitizer
	$(MAKE) VARIANT=asan all

tsan: ## build build-tsan/refractr with ThreadSanitizer
	$(MAKE) VARIANT=tsan all

# ---- building -------------------------------------------------------------------------------------------------------

$(BUILD)/refractr: $(OBJECTS)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $(OBJECTS) $(LDLIBS)

$(LIBRARY): $(filter-out $(BUILD)/src/main.o,$(OBJECTS))
	@rm -f $@
	$(say) AR $@
	$(Q)ar rcs $@ $^

$(BUILD)/src/%.o: src/%.c Makefile | $(BUILD)/deps-found
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Kernels are most of the engine's work and six times slower with sanitizers: only their own unit test has them sanitized.
build-asan/src/engine/kernels_%.o build-tsan/src/engine/kernels_%.o: OPT := -O2 -g
$(BUILD)/unit/test_engine_kernels: KERNELS := $(wildcard src/engine/kernels_*.c)
$(BUILD)/unit/test_engine_kernels: $(wildcard src/engine/kernels_*.c)

$(BUILD)/unit/%: tests/unit/%.c $(LIBRARY) Makefile
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Itests/unit $(LDFLAGS) -o $@ $< $(KERNELS) $(LIBRARY) -lcmocka $(LDLIBS)

# One clear sentence instead of a page of compiler errors when a library is missing.
$(BUILD)/deps-found: tools/deps.sh
	@mkdir -p $(@D)
	@tools/deps.sh check build && touch $@

deps: ## install what building needs (Debian packages, through apt)
	@tools/deps.sh install build

deps-test: ## install what the tests need (Debian packages; Python packages into build/venv only)
	@tools/deps.sh install test
	@tools/deps.sh venv build/venv tests/requirements.txt

# ---- checking -------------------------------------------------------------------------------------------------------

test: ## the whole test suite, from a bare Debian 12: lint, unit tests under sanitizers, the service over the wire
	@tools/test.sh

unit: ## unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory VARIANT=asan unit-run

unit-run: $(UNIT) $(REPLAY)
	@tools/unit.sh $(UNIT) $(REPLAY)

lint: ## include directions, banned functions, pinned versions
	@python3 tools/lint_includes.py
	@python3 tools/lint_pins.py

bench: all ## measure and print the tables of the README
	@tools/bench.sh

# ---- running and installing -----------------------------------------------------------------------------------------

run: ## install what is missing, build, make an account and a key, serve on 127.0.0.1 (PORT=, DATA=)
	@PORT=$(PORT) DATA=$(DATA) tools/run.sh

install: all ## install program, models, man page and systemd unit (PREFIX=, DESTDIR=)
	install -D -m 0755 build/refractr $(DESTDIR)$(PREFIX)/bin/refractr
	install -d $(DESTDIR)$(PREFIX)/share/refractr/models
	cp -R models/. $(DESTDIR)$(PREFIX)/share/refractr/models/
	install -D -m 0644 docs/refractr.1 $(DESTDIR)$(PREFIX)/share/man/man1/refractr.1
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|g' deploy/refractr.service.in > $(DESTDIR)$(PREFIX)/lib/systemd/system/refractr.service
	chmod 0644 $(DESTDIR)$(PREFIX)/lib/systemd/system/refractr.service

uninstall: ## remove what `make install` put there
	rm -f $(DESTDIR)$(PREFIX)/bin/refractr $(DESTDIR)$(PREFIX)/share/man/man1/refractr.1
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/refractr.service
	rm -rf $(DESTDIR)$(PREFIX)/share/refractr

clean: ## remove everything built (the data folder stays)
	rm -rf build build-asan build-tsan build-fuzz build-cov

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {split($$1, t, ":"); printf "  make %-12s %s\n", t[1], $$2}' Makefile mk/*.mk

include $(sort $(wildcard mk/*.mk))

-include $(OBJECTS:.o=.d) $(addsuffix .d,$(UNIT))
