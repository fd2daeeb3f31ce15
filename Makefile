# Everything a clone needs beyond Swift, git and make is installed by the target that needs it.

# What the host and the functions link or read: SQLite, and for functions that use FoundationNetworking libcurl.
BUILD_PACKAGES := libsqlite3-dev libcurl4-openssl-dev zlib1g-dev tzdata
# What the examples and the tests in Python run in.
PYTHON_PACKAGES := python3-venv
# What the tests compare with or drive besides.
TEST_PACKAGES := golang-github-robfig-cron-dev rsync curl git strace
BENCH_PACKAGES := nginx-light wrk python3 gcc uwsgi-core uwsgi-plugin-python3

SOURCES := Package.swift Runtime Functions Tests
RELEASE := swift build -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked
# Release builds are optimized for what packaging/apus.proftext says of how often everything runs, by compilers that can
# (`make profile` records it).
PROFILE := .build/apus-$(firstword $(shell cksum < packaging/apus.proftext)).profdata
PROFDATA = $(shell swiftc -print-target-info \
	| sed -n 's|.*"runtimeResourcePath" *: *"\(.*\)/lib/swift".*|\1/bin/llvm-profdata|p')
FRONTEND := -Xswiftc -Xfrontend -Xswiftc
PROFILED = $(RELEASE) $(if $(shell swiftc -help-hidden | grep -- -ir-profile-use), \
	$(FRONTEND) '-ir-profile-use=$(CURDIR)/$(PROFILE)')
INSTRUMENTED := $(RELEASE) $(FRONTEND) -ir-profile-generate -Xswiftc -Xclang-linker -Xswiftc -fprofile-generate \
	--scratch-path .build/instrumented
TEST_PYTHON := .build/test-python
WEEKDAY_PYTHON := .build/weekday-python
PIP_INSTALL := pip install --quiet --disable-pip-version-check
# Tests that load the whole machine, or need it for themselves: one after the other.
ALONE := '^(Faults|Counts|WorkersTests\.GatheringTests)[./]'

# Where `make install` puts things; the unit files say /usr/local, too.
PREFIX := /usr/local

.PHONY: help run install build test soak bench profile format lint clean packages test-packages python-packages \
	bench-packages

help: ## Says what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build $(WEEKDAY_PYTHON)/ready ## Builds, and serves manifests/ on http://127.0.0.1:8080
	.build/release/apus serve manifests --watch

build: packages $(PROFILE) ## Builds .build/release/apus and the functions, with Swift linked in
	$(PROFILED)
	install -D --mode=644 Runtime/SDK/python/apus.py .build/release/python/apus.py
	# Workers may not write there, and compiling takes them longer than all else that they import.
	if command -v python3 >/dev/null; then python3 -m compileall -q .build/release/python; fi

install: build ## Installs apus, its documents and its systemd units
	install -D --mode=755 .build/release/apus $(DESTDIR)$(PREFIX)/lib/apus/apus
	cp -R .build/release/python $(DESTDIR)$(PREFIX)/lib/apus/
	mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)/etc/systemd/system
	ln -sf ../lib/apus/apus $(DESTDIR)$(PREFIX)/bin/apus
	install -D --mode=644 --target-directory=$(DESTDIR)$(PREFIX)/share/doc/apus docs/*.md docs/*.svg
	install -D --mode=644 packaging/apus.sysusers $(DESTDIR)/usr/lib/sysusers.d/apus.conf
	install -D --mode=644 --target-directory=$(DESTDIR)/etc/systemd/system packaging/*.service packaging/*.socket

test: test-packages $(PROFILE) $(TEST_PYTHON)/ready $(WEEKDAY_PYTHON)/ready lint ## Checks the format, builds and runs all tests
	swift build --build-tests
	$(PROFILED) --product Hello
	python3 -m unittest discover --start-directory Tests/PythonSDKTests
	python3 -m unittest discover --start-directory Tests/Benchmarks
	# All at once, the tests would open thousands of files and hundreds of threads. Those with the real binary hold a
	# thread each while they wait for a program: they run by themselves, and no more at a time than there are threads.
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=16 Tests/swift-test --skip '^EndToEnd\.' --skip $(ALONE)
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=2 Tests/swift-test --skip-build --filter '^EndToEnd\.'
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=1 Tests/swift-test --skip-build --filter $(ALONE)

soak: test-packages ## Kills hosts and workers for 20 minutes and checks what came of it; SOAK='--minutes 5 --seed 1'
	swift build --build-tests
	.build/debug/Soak $(SOAK)

bench: bench-packages build ## Measures Apus beside nginx, uwsgi and SQLite; BENCH='warm --quick'
	Tests/Benchmarks/run $(BENCH)

profile: bench-packages ## Records what runs how often, for release builds: packaging/apus.proftext
	$(INSTRUMENTED) --product apus
	$(INSTRUMENTED) --product Hello
	$(INSTRUMENTED) --product Ledger
	Tests/Benchmarks/profile $(PROFDATA)

# With another profile the compiler would leave what it has compiled as it is: what it compares is the code before that
# profile comes into play.
$(PROFILE): packaging/apus.proftext
	mkdir -p $(@D)
	rm -rf $(@D)/apus-*.profdata $(@D)/*-linux-gnu/release
	$(PROFDATA) merge --output=$@ $<

format: ## Formats the sources in place
	swift format --in-place --recursive --parallel $(SOURCES)

lint:
	swift format lint --strict --recursive --parallel $(SOURCES)

clean: ## Removes what was built; leaves the data folder .apus alone
	rm -rf .build

packages:
	@./.ci/packages $(BUILD_PACKAGES)

test-packages:
	@./.ci/packages $(BUILD_PACKAGES) $(PYTHON_PACKAGES) $(TEST_PACKAGES)

python-packages:
	@./.ci/packages $(PYTHON_PACKAGES)

bench-packages:
	@./.ci/packages $(BUILD_PACKAGES) $(BENCH_PACKAGES)

# The runtime of the example Functions/weekday.
$(WEEKDAY_PYTHON)/ready: Makefile | python-packages
	python3 -m venv $(WEEKDAY_PYTHON)
	$(WEEKDAY_PYTHON)/bin/$(PIP_INSTALL) awslambdaric==4.2.2
	touch $@

# cronsim is another's reading of cron expressions; the others are what functions, their callers and their clients use.
# The versions are fixed, so that a failure is ours.
$(TEST_PYTHON)/ready: Makefile | test-packages
	python3 -m venv $(TEST_PYTHON)
	$(TEST_PYTHON)/bin/$(PIP_INSTALL) cronsim==2.8 jsonschema==4.26.0 pyyaml==6.0.3 \
		functions-framework==3.10.2 websockets==17.4 \
		awslambdaric==4.2.2 boto3==1.44.5 "aws-lambda-powertools[parser]==3.37.0"
	touch $@
