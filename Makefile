# The commands of this repository. SPDX-License-Identifier: Apache-2.0
#
#   make demo     install what is missing, build, and watch the main job on this machine (KEEP=1 leaves it running)
#   make test     install what the tests need, build, run every test
#   make build    the hardened release, in build/release
#   make bench    the table of figures, target and floor beside each
#   make figures  the same, a few minutes on a quiet machine: its table in README.md is written anew
#   make install  the release, below PREFIX (/usr/local), DESTDIR before it
#   make deb      the release as a Debian package, in build/release
#   make deps     only install what is missing
#
# BUILD=build JOBS=2 PREFIX=/usr/local
BUILD ?= build
JOBS ?= 2
PREFIX ?= /usr/local
export BUILD JOBS

.PHONY: help demo test build bench figures install deb deps
help:
	@sed -n 's/^#   //p' Makefile

demo:
	@.ci/deps.sh demo
	@.ci/build release reeve keeper load
	@examples/quickstart/demo.sh

test:
	@.ci/deps.sh test
	@.ci/test

build:
	@.ci/deps.sh build
	@.ci/build release reeve keeper

bench:
	@.ci/deps.sh test
	@.ci/build test bench
	@$(BUILD)/test/tests/bench/bench

figures: SHELL = /bin/bash
figures:
	@.ci/deps.sh test
	@.ci/build test bench
	@set -o pipefail; $(BUILD)/test/tests/bench/bench | tee $(BUILD)/figures.txt
	@tests/bench/figures $(BUILD)/figures.txt README.md

install: build
	cmake --install $(BUILD)/release --prefix $(PREFIX)

deb: build
	@.ci/deb/build $(BUILD)/release

deps:
	@.ci/deps.sh test
