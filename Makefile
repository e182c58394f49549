# Targets for people and for CI. Needs Python 3.11 or later with venv, and make; `make test` gets the rest itself.
# What CI calls is `make test`; nothing here reads from the terminal.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,\
	$(if $(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print(1)' 2>/dev/null),$(name))))
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install --no-compile
PYTEST := $(BIN)/python -m pytest -q
SERVER_LOG := $(VENV)/servers.log

.DEFAULT_GOAL := help
.PHONY: help up dev servers lint format unit contract integration test thorough bench clean

help:
	@echo 'make up           install into .venv and start the demo: cameras, a call box, alerts（安装并启动演示）'
	@echo 'make test         everything CI checks: lint, unit, contract and integration tests（全部检查）'
	@echo 'make lint         format, ruff, mypy, import rule, generated schemas（静态检查）'
	@echo 'make unit         unit tests: no server, a few seconds（单元测试）'
	@echo 'make thorough     unit tests, each property on twenty times the examples; minutes（更彻底的单元测试）'
	@echo 'make contract     contract tests, on real servers（契约测试）'
	@echo 'make integration  whole ways, on real servers（集成测试）'
	@echo 'make servers      get the servers that tests need（获取测试所需的服务器）'
	@echo 'make bench        measure this machine（性能测量）'
	@echo 'make format       let ruff format the code（格式化）'
	@echo 'make clean        remove what was built, not your data（清理）'

up: $(VENV)/.runtime-installed
	@$(BIN)/python -m console.fetch_footage
	@exec $(BIN)/sharpeyes up --demo

dev: $(VENV)/.dev-installed

servers: $(VENV)/.dev-installed
	@$(BIN)/python -m tests.servers.install

lint: $(VENV)/.dev-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m alerts.schema_export --check

format: $(VENV)/.dev-installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

unit: $(VENV)/.dev-installed
	$(PYTEST) tests/unit

thorough: $(VENV)/.dev-installed
	HYPOTHESIS_PROFILE=thorough $(PYTEST) tests/unit

contract: $(VENV)/.dev-installed
	$(PYTEST) tests/contract

integration: $(VENV)/.dev-installed
	$(PYTEST) tests/integration

# The servers are fetched and built while lint and unit tests run; what cannot be installed is said before all that.
test: $(VENV)/.dev-installed
	@$(BIN)/python -m tests.servers.install --check
	@$(BIN)/python -m tests.servers.install >$(SERVER_LOG) 2>&1 & servers=$$!; \
	trap 'kill $$servers 2>/dev/null' EXIT; \
	$(MAKE) --no-print-directory lint unit || exit 1; \
	echo 'waiting for the servers (a first build of MinIO takes some minutes)'; \
	wait $$servers || { cat $(SERVER_LOG); exit 1; }; \
	tail -n 1 $(SERVER_LOG); \
	trap - EXIT; \
	$(MAKE) --no-print-directory contract integration

bench: $(VENV)/.dev-installed
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z '$(PYTHON)' ]; then \
		echo '需要 Python 3.11 或更高版本。 / Python 3.11 or later is needed.' >&2; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '缺少 venv，请先运行：sudo apt-get install python3-venv / venv is missing, please run: sudo apt-get install python3-venv' >&2; \
		exit 1; }
	@echo '[1/3] 创建 .venv / making .venv'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime-installed: requirements/runtime.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo '[2/3] 安装依赖，约一分钟 / installing dependencies, about a minute'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(PIP) --require-hashes --no-deps --only-binary :all: -r requirements/runtime.txt
	@$(PIP) --require-hashes --no-deps -r requirements/build.txt
	@echo '[3/3] 安装 sharpeyes / installing sharpeyes'
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev-installed: requirements/dev.txt $(VENV)/.runtime-installed
	@echo '安装开发工具 / installing the development tools'
	@$(PIP) --require-hashes --no-deps -r requirements/dev.txt
	@touch $@
