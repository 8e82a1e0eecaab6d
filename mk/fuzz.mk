# Fuzzing: the targets of tests/fuzz/ with libFuzzer (clang), and their kept corpora replayed in `make test` (gcc).
#
#   build-fuzz/fuzz/NAME    libFuzzer under ASan and UBSan     build-asan/replay/NAME   the same target over its corpus
#   build-cov/replay/NAME   the same, counting lines           build/fuzz/              what was found: corpora, findings
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ         := $(FUZZ_TARGETS:%=build-fuzz/fuzz/%)
TARGET       ?= $(FUZZ_TARGETS)

.PHONY: deps-fuzz fuzz fuzz-continue fuzz-minimise fuzz-coverage

deps-fuzz:
	@tools/deps.sh install fuzz

fuzz: deps-fuzz ## libFuzzer targets of tests/fuzz/ from the kept corpora, FUZZ_SECONDS each (default 60; TARGET= picks)
	@$(MAKE) --no-print-directory VARIANT=fuzz $(FUZZ)
	@tools/fuzz.py run $(TARGET)

fuzz-continue: deps-fuzz ## the same, from everything found so far in build/fuzz/; for nightly runs (FUZZ_SECONDS=3600)
	@$(MAKE) --no-print-directory VARIANT=fuzz $(FUZZ)
	@tools/fuzz.py continue $(TARGET)

fuzz-minimise: deps-fuzz ## the smallest set of inputs with the same coverage, from build/fuzz/ into tests/fuzz/corpus/
	@$(MAKE) --no-print-directory VARIANT=fuzz $(FUZZ)
	@tools/fuzz.py minimise $(TARGET)

fuzz-coverage: deps-fuzz ## lines of src/ that each kept corpus runs through (llvm-cov)
	@$(MAKE) --no-print-directory VARIANT=cov $(FUZZ_TARGETS:%=build-cov/replay/%)
	@tools/fuzz.py coverage $(TARGET)

# The kernels are written in gcc's vector extensions.
build-fuzz/src/engine/kernels_%.o build-cov/src/engine/kernels_%.o: CC := gcc
build-fuzz/src/engine/kernels_%.o build-cov/src/engine/kernels_%.o: OPT := -O1 -g

build-fuzz/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.h build-fuzz/librefractr.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Itests/fuzz $(LDFLAGS) -fsanitize=fuzzer -o $@ $< build-fuzz/librefractr.a $(LDLIBS)

$(BUILD)/replay/%: tests/fuzz/%.c tests/fuzz/replay.c tests/fuzz/fuzz.h $(LIBRARY)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Itests/fuzz $(LDFLAGS) -o $@ $< tests/fuzz/replay.c $(LIBRARY) $(LDLIBS)

-include $(FUZZ_TARGETS:%=$(BUILD)/replay/%.d) $(FUZZ_TARGETS:%=build-fuzz/fuzz/%.d)
