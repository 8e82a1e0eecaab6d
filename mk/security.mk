# Security: what is generated for it, and its long measurements.
#
# Made before account.c is first compiled, when no list of headers names it yet.
$(BUILD)/gen/account/common_passwords.h: tools/common_passwords.py
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)/usr/bin/python3 tools/common_passwords.py $@
$(BUILD)/src/account/account.o: $(BUILD)/gen/account/common_passwords.h

.PHONY: sbom

sbom: all deps-test ## bill of materials (CycloneDX JSON) into build/sbom.cdx.json: packages inside, packages of tests, model, data
	@python3 tools/sbom.py build/sbom.cdx.json

.PHONY: timing

build/timing/%: tests/timing/%.c build/librefractr.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< build/librefractr.a $(LDLIBS)

timing: all build/timing/key_timing ## do refusals tell how much of a key is right? Welch's t over TIMING_TRIES (default 100000) of each kind
	@tools/timing.sh $(TIMING_TRIES)
