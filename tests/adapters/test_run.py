"""What is told of the tools' tests, and when it is a failure."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

spec = importlib.util.spec_from_file_location("run_tools", Path(__file__).with_name("run.py"))
runner = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = runner  # where its dataclasses look
spec.loader.exec_module(runner)

CASES = """<testsuite>
<testcase classname="tests.adapters.test_kept" name="a"/>
<testcase classname="tests.adapters.test_real" name="b"/>
<testcase classname="tests.adapters.test_real" name="c"><failure message="no"/></testcase>
<testcase classname="tests.adapters.test_real" name="d"><skipped message="no tool"/></testcase>
<testcase classname="tests.adapters.test_real" name="e"><skipped message="no tool"/></testcase>
</testsuite>"""


def outcome(cases=CASES, code=0):
    return runner.outcome(code, ET.fromstring(cases).iter("testcase"), ("test_real",))  # noqa: S314


def told(*outcomes):
    lines, is_well = runner.summary([("tool", "tool 1.2", one) for one in outcomes])
    return "\n".join(lines), is_well


def test_passed_failed_and_skipped_are_counted_with_the_reasons():
    text, is_well = told(outcome())
    assert "tool 1.2; 2 passed, 1 of them with the tool itself; 1 failed; 2 skipped" in text
    assert "skipped 2: no tool" in text
    assert is_well  # by pytest's own code


def test_a_tool_that_no_test_ran_is_a_failure():
    text, is_well = told(outcome(), outcome("<testsuite/>"))
    assert "NOT EXERCISED" in text
    assert not is_well


def test_a_run_that_failed_is_a_failure():
    assert not told(outcome(code=1))[1]


@pytest.mark.parametrize("tool", runner.tools("env"), ids=lambda one: one.name)
def test_the_modules_that_run_a_tool_are_there(tool):
    where = [runner.ROOT / one for one in tool.tests if not one.startswith("--")]
    names = {path.stem for one in where for path in one.rglob("test_*.py")}
    assert set(tool.real) <= names


def test_a_tool_that_is_not_there_is_told():
    assert runner.version_of(runner.tools("/nowhere/env")[0]) == "not installed"
