"""Where things lie: a test file for each module, no packages where folders only group."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# package folder -> folder of its tests; each folder within the server has one of its own
PACKAGES = {
    "protos/seem_wire": "tests/wire",
    "model/seem_model": "tests/model",
    "clients/python/seem_client": "tests/client",
    "seem_server": "tests",
}
ENTRY_POINTS = {"__init__", "__main__"}
MODULES = [
    str(path.relative_to(ROOT))
    for folder in PACKAGES
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.stem not in ENTRY_POINTS and "_pb2" not in path.stem
]


def folder_of_tests(module):
    folder, tests = next(pair for pair in PACKAGES.items() if module.startswith(pair[0]))
    parts = Path(module).relative_to(folder).parts
    within = parts[0] if folder == "seem_server" and len(parts) > 1 else ""
    return ROOT / "tests/adapters" if parts[0] == "adapters" else ROOT / tests / within


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_test_file_of_its_name(module):
    name, tests = f"test_{Path(module).stem.lstrip('_')}.py", folder_of_tests(module)
    assert list(tests.rglob(name)), f"there is no {name} below {tests.relative_to(ROOT)}/"


@pytest.mark.parametrize("folder", ["model", "clients", "clients/python", "protos", "tests"])
def test_folders_that_only_group_are_no_packages(folder):
    assert not (ROOT / folder / "__init__.py").exists()
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package):
    assert (ROOT / package / "py.typed").is_file()


def test_no_module_is_a_drawer_for_anything():
    drawers = {"utils", "util", "helpers", "helper", "misc", "common"}
    assert not drawers & {part for module in MODULES for part in Path(module).with_suffix("").parts}


@pytest.mark.parametrize("folder", ["session", "engine"])
def test_decisions_are_tested_without_mocks(folder):
    files = (ROOT / "tests" / folder).rglob("*.py")
    assert not [path.name for path in files if "unittest.mock" in path.read_text("utf-8")]


def test_every_ignored_lint_rule_has_its_reason_beside_it():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    ignored = tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"]
    reasons = re.findall(r'^\s*"(\w+)", +# \S', text, re.MULTILINE)
    assert set(ignored) <= set(reasons)


def test_a_todo_names_its_issue():
    pattern = re.compile(r"\b(?:TODO|FIXME|XXX)\b(?!.*#\d)")
    guilty = [
        f"{module}:{number}"
        for module in MODULES
        for number, line in enumerate((ROOT / module).read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not guilty
