# SPDX-License-Identifier: BSD-2-Clause
# The front door. Meson does the building; this file knows the order of things.
.DEFAULT_GOAL := help
SHELL := /bin/bash

BUILD ?= build
ASAN ?= build-asan
CLANG ?= build-clang
FUZZ ?= build-fuzz
BENCH ?= build-bench
DEB ?= build-deb
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
SOAK_ROUNDS ?= 3
SKEP = $(BUILD)/src/cmd/skep
PYTHON = /usr/bin/python3
comma := ,

# Debian's tools, also where a home-made Python or compiler comes first in PATH.
export PATH := /usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:$(PATH)

# $(call setup,DIR,OPTIONS): configures DIR once; later calls only switch options that differ.
define setup
	@if [ ! -f $(1)/build.ninja ]; then \
		echo "Configuring $(1)"; \
		meson setup $(1) $(2) >$(1).log 2>&1 || { tail -20 $(1).log; exit 1; }; \
		mv $(1).log $(1)/meson-logs/setup.log; \
	fi
endef
define compile
	@echo "Building $(1)"
	@ninja -C $(1) $(2) >$(1)/ninja.log 2>&1 || { tail -40 $(1)/ninja.log; exit 1; }
endef

.PHONY: help up down check build build-all test soak tidy cppcheck bench fuzz install deb clean format guest-packages

help:
	@echo "sudo make up       install what is needed, build, start the lab honeynet"
	@echo "sudo make down     stop it and leave this machine as it was"
	@echo "sudo make check    install what tests need, build, run every test"
	@echo "make soak          the tests that take long: fuzzing, clang-tidy, repeated rounds"
	@echo "make bench         measure; make fuzz: each fuzz target for FUZZ_SECONDS"
	@echo "make install       to PREFIX (/usr/local), DESTDIR honoured"
	@echo "make deb           Debian's package, in $(DEB)/"
	@echo "make guest-packages  monitor and shell for images of your own, in guest-packages/"
	@echo "make format        clang-format the tree; make clean: remove the build folders"

up:
	@tools/install-packages run build
	@$(MAKE) --no-print-directory build
	@$(SKEP) up

down:
	@if [ -x $(SKEP) ]; then $(SKEP) down; else echo "Nothing was ever built here."; fi

# Without cmocka the build leaves the tests out; `make check` switches them on.
build:
	$(call setup,$(BUILD),-Dtests=false)
	$(call compile,$(BUILD))

build-all:
	$(call setup,$(BUILD),)
	@meson configure $(BUILD) -Dtests=true
	$(call compile,$(BUILD))
	$(call setup,$(ASAN),-Db_sanitize=address$(comma)undefined)
	$(call compile,$(ASAN))
	$(call setup,$(BENCH),--buildtype=release)
	$(call compile,$(BENCH))
	@if command -v clang-14 >/dev/null; then $(MAKE) --no-print-directory build-clang build-fuzz; \
	else echo "clang-14 is missing: the second compiler and fuzzing are skipped"; fi

.PHONY: build-clang build-fuzz
build-clang:
	@export CC=clang-14; if [ ! -f $(CLANG)/build.ninja ]; then \
		echo "Configuring $(CLANG)"; \
		meson setup $(CLANG) >$(CLANG).log 2>&1 || { tail -20 $(CLANG).log; exit 1; }; \
		mv $(CLANG).log $(CLANG)/meson-logs/setup.log; \
	fi
	$(call compile,$(CLANG))

build-fuzz:
	@export CC=clang-14; if [ ! -f $(FUZZ)/build.ninja ]; then \
		echo "Configuring $(FUZZ)"; \
		meson setup $(FUZZ) -Dfuzz=true -Dtests=false -Db_sanitize=address,undefined -Db_lundef=false \
			>$(FUZZ).log 2>&1 || { tail -20 $(FUZZ).log; exit 1; }; \
		mv $(FUZZ).log $(FUZZ)/meson-logs/setup.log; \
	fi
	$(call compile,$(FUZZ))

check:
	@tools/install-packages --try run build test
	@$(MAKE) --no-print-directory build-all
	@$(PYTHON) tests/run

test: build-all
	@$(PYTHON) tests/run lint unit replay golden

fuzz:
	@tools/install-packages --try build test
	@$(MAKE) --no-print-directory build-fuzz
	@$(PYTHON) tools/fuzz $(FUZZ) $(FUZZ_SECONDS)

tidy: build-all
	@$(PYTHON) tools/tidy $(CLANG)

cppcheck:
	@if command -v cppcheck >/dev/null; then \
		cppcheck --quiet --std=c17 --enable=warning,portability --inline-suppr \
			--suppressions-list=tools/cppcheck-suppressions --error-exitcode=1 -I src src; \
	else echo "cppcheck is not installed: skipped"; fi

bench:
	@tools/install-packages --try run build test
	$(call setup,$(BENCH),--buildtype=release)
	$(call compile,$(BENCH))
	@$(PYTHON) tools/bench $(BENCH)

guest-packages:
	@tools/install-packages --try run build
	@$(MAKE) --no-print-directory build
	@tools/make-guest-packages guest-packages $(BUILD)

soak: check tidy cppcheck fuzz
	@for round in $$(seq $(SOAK_ROUNDS)); do \
		echo "Round $$round of $(SOAK_ROUNDS)"; $(PYTHON) tests/run scenario e2e || exit 1; \
	done

# Where it will stand is compiled in, so another PREFIX compiles a few files anew.
# For this machine: with what is needed to build and run. Below DESTDIR it is for another one.
install:
	@[ -n "$(DESTDIR)" ] || tools/install-packages run build
	$(call setup,$(BUILD),-Dtests=false)
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	$(call compile,$(BUILD))
	@meson install -C $(BUILD) --no-rebuild --quiet

deb:
	@tools/make-deb $(DEB)

format:
	@git ls-files '*.c' '*.h' | xargs -r clang-format-14 -i

clean:
	@rm -rf $(BUILD) $(ASAN) $(CLANG) $(FUZZ) $(BENCH) $(DEB)
