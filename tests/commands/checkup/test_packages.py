from __future__ import annotations

import re
from pathlib import Path

import pytest

from seem_server.commands.checkup import packages
from seem_server.commands.checkup.finding import State

ASKED = (
    "grpcio>=1.71",
    'onnxruntime>=1.20; extra == "serve"',
    'pillow>=11; extra == "serve"',
    'onnxruntime-gpu>=1.20; extra == "gpu"',
    'aiohttp>=3.10; extra == "web"',
    'cvat-cli>=2.80; extra == "cvat"',
    'aiohttp>=3.11; extra == "cvat"',
    'pytest>=8; extra == "test"',
)
WHOLE = {"grpcio": "1.80", "onnxruntime": "1.32", "pillow": "13.0", "aiohttp": "3.10"}
CPU = ("AzureExecutionProvider", "CPUExecutionProvider")
CUDA = ("CUDAExecutionProvider", "CPUExecutionProvider")


def by_subject(findings):
    return {one.subject: one for one in findings}


def test_a_python_that_is_asked_for_is_well_and_an_older_one_is_not():
    assert packages.check_python((3, 11, 7), ">=3.11").state is State.OK
    assert packages.check_python((4, 0, 0), ">=3.11").state is State.OK
    old = packages.check_python((3, 10, 1), ">=3.11")
    assert old.blocks
    assert old.told == "3.10.1, and >=3.11 is asked"


def test_what_the_package_asks_of_python_is_told_in_the_form_that_is_read():
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8")
    assert re.search(r'^requires-python = ">=\d+\.\d+"$', text, re.MULTILINE)


def test_what_serving_needs_is_one_line_where_all_is_right():
    (found,) = packages.check_packages(ASKED, WHOLE.get)
    assert (found.state, found.told) == (State.OK, "grpcio 1.80, onnxruntime 1.32, pillow 13.0")


@pytest.mark.parametrize(
    ("changes", "state", "told"),
    [
        ({"pillow": None}, State.MISSING, ">=11 is asked"),
        ({"pillow": "10.4"}, State.FAULT, "10.4 is installed, and >=11 is asked"),
    ],
)
def test_a_package_that_is_missing_or_too_old_is_named_with_what_to_install(changes, state, told):
    whole, wrong = packages.check_packages(ASKED, (WHOLE | changes).get)
    assert "pillow" not in whole.told
    assert (wrong.subject, wrong.state, wrong.told) == ("pillow", state, told)
    assert not wrong.blocks  # whether it works all the same is tried
    assert "'seem-server[serve]'" in wrong.mend


def test_the_runtime_for_gpus_takes_the_place_of_the_other():
    there = {**WHOLE, "onnxruntime": None, "onnxruntime-gpu": "1.32"}
    (found,) = packages.check_packages(ASKED, there.get)
    assert "onnxruntime-gpu 1.32" in found.told


def test_extras_are_told_and_never_needed_and_those_of_developers_are_left_out():
    names = ("serve", "gpu", "web", "cvat", "test")
    found = by_subject(packages.check_extras(ASKED, names, WHOLE.get))
    assert set(found) == {"extra web", "extra cvat"}
    assert found["extra web"].state is State.OK
    cvat = found["extra cvat"]
    assert (cvat.state, cvat.blocks) == (State.MISSING, False)
    assert "cvat-cli not installed (aiohttp 3.10 is there)" in cvat.told
    assert "'seem-server[cvat]'" in cvat.mend


def test_an_extra_that_is_too_old_is_a_fault():
    (web,) = packages.check_extras(ASKED, ("web",), {"aiohttp": "3.9"}.get)
    assert (web.state, web.told) == (State.FAULT, "aiohttp 3.9, and aiohttp>=3.10 is asked")


def test_both_runtimes_together_are_a_fault_that_names_how_to_part_them():
    found = packages.check_runtimes("1.32", "1.31", CPU)
    assert (found.state, found.blocks) == (State.FAULT, False)
    assert "installed together" in found.told
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in found.mend


@pytest.mark.parametrize(
    ("versions", "providers", "state"),
    [
        (("1.32", None), CPU, State.OK),
        ((None, "1.32"), CUDA, State.OK),
        ((None, "1.32"), CPU, State.FAULT),
        ((None, "1.32"), None, State.FAULT),
        (("1.32", None), None, State.FAULT),
        ((None, None), None, State.MISSING),
    ],
)
def test_the_runtime_is_told_with_where_it_can_run(versions, providers, state):
    found = packages.check_runtimes(*versions, providers)
    assert found.state is state
    assert found.blocks is (state is not State.OK)


def test_messages_that_are_read_by_python_are_a_fault():
    assert packages.check_messages("upb").state is State.OK
    assert packages.check_messages("python").state is State.FAULT
