"""Every annotation tool's tests, against the tool itself, and what was really exercised.

    make test-tools

For each tool: its version, how many tests passed, and how many of them ran the tool itself; then
what was skipped, and why. It fails where a test fails, and where a tool was not run by any test.
"""

from __future__ import annotations

import argparse
import collections
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]
TESTS = "tests/adapters"


@dataclass(frozen=True)
class Tool:
    """`python`: the environment in which its tests run; `real`: the modules that run the tool."""

    name: str
    python: str
    tests: tuple[str, ...]
    real: tuple[str, ...]
    version: tuple[str, ...]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Of one tool's tests; `reasons` of the skipped ones."""

    code: int
    n_passed: int
    n_real: int
    n_failed: int
    reasons: dict[str, int]


def installed(environment, package):
    """The command that prints a package's version."""
    program = f"import importlib.metadata as m; print('{package}', m.version('{package}'))"
    return (f"{environment}/bin/python", "-c", program)


def tools(venv):
    """All of them; `venv` is the path that the environments' names begin with."""
    names = ("cvat", "label-studio", "napari", "fiftyone", "ray")
    cvat, studio, napari, fiftyone, ray = (f"{venv}-{one}" for one in names)
    apart = tuple(f"--ignore={TESTS}/{one}" for one in ("label_studio", "napari"))
    return (
        Tool(
            "CVAT", f"{cvat}/bin/python", (TESTS, *apart), ("test_cvat_functions",),
            installed(cvat, "cvat-cli"),
        ),
        Tool(
            "Label Studio", f"{cvat}/bin/python", (f"{TESTS}/label_studio",),
            ("test_real_label_studio",), installed(studio, "label-studio"),
        ),
        Tool(
            "napari", f"{napari}/bin/python", (f"{TESTS}/napari",),
            ("test_board", "test_panel", "test_widget"), installed(napari, "napari"),
            # napari's own plug-in of pytest is loaded before its warnings can be told from ours
            ("-p", "no:napari", "-W", "ignore"),
        ),
        Tool(
            "FiftyOne", f"{fiftyone}/bin/python", ("tests/client/exports",),
            ("test_fiftyone",), installed(fiftyone, "fiftyone"),
        ),
        Tool(
            "Ray", f"{ray}/bin/python", ("tests/cluster",),
            ("test_ray_serve",), installed(ray, "ray"),
        ),
        Tool(
            "the annotator", f"{venv}/bin/python", ("tests/web",), ("test_annotator",),
            ("sh", "-c", "chromium --version 2>/dev/null || google-chrome --version"),
        ),
    )  # fmt: skip


def run(tool, more, environment):
    """Runs a tool's tests."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [tool.python, "-m", "pytest", *tool.tests, *tool.flags, "-m", "slow or not slow"]
        done = subprocess.run(
            [*command, f"--junitxml={report}", *more], cwd=ROOT, env=environment, check=False
        )
        cases = ET.parse(report).iter("testcase") if report.exists() else ()  # noqa: S314 - ours
        return outcome(done.returncode, cases, tool.real)


def outcome(code, cases, real):
    """What became of test cases."""
    n_passed = n_real = n_failed = 0
    reasons = collections.Counter()
    for case in cases:
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            n_failed += 1
        elif skipped is not None:
            reasons[skipped.get("message") or "no reason given"] += 1
        else:
            n_passed += 1
            n_real += case.get("classname", "").split(".")[-1] in real
    return Outcome(code, n_passed, n_real, n_failed, dict(reasons))


def summary(outcomes):
    """The lines that tell of all, and whether all is well."""
    lines, is_well = ["", "What was exercised:"], True
    for name, version, one in outcomes:
        lines.append(
            f"  {name}: {version}; {one.n_passed} passed, {one.n_real} of them with the tool itself"
            f"; {one.n_failed} failed; {sum(one.reasons.values())} skipped"
        )
        lines += [f"      skipped {count}: {why}" for why, count in sorted(one.reasons.items())]
        if not one.n_real:
            lines.append(f"      NOT EXERCISED: no test of {name} ran the tool itself.")
        is_well = is_well and one.code == 0 and bool(one.n_real)
    lines.append("All tools were exercised." if is_well else "NOT ALL IS WELL: see above.")
    return lines, is_well


def version_of(tool):
    """What a tool says of itself."""
    try:
        done = subprocess.run(tool.version, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "not installed"
    return done.stdout.strip()


def main():
    """Runs all; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venv", type=Path, help="the path that the environments' names begin with")
    arguments, more = parser.parse_known_args()
    venv = arguments.venv.absolute()
    environment = os.environ | {"SEEM_LABEL_STUDIO": f"{venv}-label-studio"}
    outcomes = []
    for tool in tools(venv):
        print(f"\n--- {tool.name}", flush=True)
        outcomes.append((tool.name, version_of(tool), run(tool, more, environment)))
    lines, is_well = summary(outcomes)
    print("\n".join(lines))
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
