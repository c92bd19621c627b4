# Everything that a person types. `make run` and `make test` are all that a fresh Debian 12 with git and make needs.
BUILD ?= build/release
PRESET ?= release
PROPERTIES ?= config/server.properties
JOBS ?= $(shell nproc)

.PHONY: run build test check bench interop fuzz sim golden format clean tidy

run: build          ## install packages, build, start a broker on 127.0.0.1:9092 with its data under ./data
	@exec $(BUILD)/src/server/moldau-server $(PROPERTIES)

build: $(BUILD)/build.ninja
	@cmake --build $(BUILD) --target moldau-server -- -j$(JOBS) $(if $(VERBOSE),,--quiet)

$(BUILD)/build.ninja:
	@tools/install-deps build test
	@cmake --preset $(PRESET) > $(BUILD).configure.log 2>&1 || (mkdir -p build && cmake --preset $(PRESET))

test:               ## everything that must pass
	@tools/install-deps build test interop && tools/run-tests all

check:              ## the loop while working: format, layers, unit tests of what changed; under a minute
	@tools/install-deps build test && tools/run-tests check

sim:                ## make sim SEEDS=1..1000
	@tools/run-tests sim $(SEEDS)

fuzz:               ## make fuzz SECONDS=600
	@tools/run-tests fuzz $(or $(SECONDS),300)

golden:             ## make golden GOLDEN=DIR: the golden tests on another directory of the same layout
	@tools/run-tests golden $(GOLDEN)

interop:            ## every client against every other through one broker, then the suites of other clients: an hour and a half
	@tools/run-tests interop

bench:              ## side by side with Apache Kafka; writes docs/performance.md
	@tools/install-deps build bench && $(MAKE) build && python3 bench/run.py

tidy: build         ## clang-tidy with the checks of .clang-tidy
	@tools/run-tests tidy

format:
	@git ls-files '*.cc' '*.h' | xargs clang-format-19 -i

clean:
	rm -rf build
