"""`python -m seem_model.evaluate parity GOLDEN_DIR`: published variants against recorded outputs.

Every array in the folder is compared with what the rule-made weights give here, with the recorded
draws of the reference program put in: one table, and exit code 1 if anything is beyond its
tolerance. Weights follow from names, so nothing but the folder is needed. Arrays are compared,
given to the run, set aside with a reason, or hidden inside the exported graphs; none is left out.
What is beyond its tolerance is run again with attention decisions turned that sit within rounding
of their threshold; where that settles it, the table says how many and how close they were.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch

from seem_model.evaluate.parity.graphs import GraphSubject
from seem_model.evaluate.parity.plan import (
    EVERY,
    check_file,
    plan,
    recorded_variants,
    unknown_files,
)
from seem_model.evaluate.parity.report import document, table
from seem_model.evaluate.parity.setting import SHARED, Setting
from seem_model.evaluate.parity.subject import TorchSubject
from seem_model.evaluate.parity.tolerances import DOUBLE, SINGLE
from seem_model.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seem_model.evaluate.parity.sheet import Row
    from seem_model.evaluate.parity.subject import Subject

DONE, FAILED, MISUSED = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and gives the exit code."""
    arguments = _parser().parse_args(argv)
    root: Path = arguments.golden
    variants = recorded_variants(root)
    if not variants:
        return _misused(f"{root} holds no recorded outputs of any variant")
    if arguments.variant and arguments.variant not in variants:
        return _misused(f"{root} has no {arguments.variant}; there are {', '.join(variants)}")
    torch.set_num_threads(arguments.threads)
    rows: list[Row] = []
    for name, files in plan(root, variants, only_variant=arguments.variant, only=arguments.only):
        rows += run_variant(name, files, arguments)
        gc.collect()
    if not rows:
        return _misused(f"no file in {root} fits {arguments.only}")
    if not arguments.variant and arguments.only == EVERY:
        rows += unknown_files(root)
    rows.sort(key=lambda row: (row.file.partition("/")[0] != SHARED, row.file))
    if arguments.json:
        _say(json.dumps(document(rows), indent=1))
    else:
        _say(table(rows))
    return FAILED if any(not row.ok for row in rows) else DONE


def run_variant(name: str, files: Sequence[Path], arguments: argparse.Namespace) -> list[Row]:
    """The rows of one variant's files; its weights are gone when this returns."""
    _progress(f"{name}: making weights by rule")
    single = arguments.float32 or arguments.onnx
    tolerances = SINGLE if single else DOUBLE
    with ExitStack() as stack:
        subject: Subject = TorchSubject(VARIANTS[name], torch.float32 if single else torch.float64)
        if arguments.onnx:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="seem-parity-")))
            _progress(f"{name}: exporting its graphs")
            subject = GraphSubject(subject.model, folder)
        setting = Setting(subject, arguments.golden, tolerances)
        rows: list[Row] = []
        for file in files:
            started = time.monotonic()
            rows += check_file(file, setting)
            _progress(f"{name}: {file.parent.name}/{file.stem} {time.monotonic() - started:.1f} s")
        return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m seem_model.evaluate parity", description=__doc__.partition("\n\n")[2]
    )
    parser.add_argument("golden", type=Path, metavar="GOLDEN_DIR", help="the recorded outputs")
    parser.add_argument("--onnx", action="store_true", help="the exported graphs, in float32")
    parser.add_argument("--variant", choices=sorted(VARIANTS), help="this one alone")
    parser.add_argument("--float32", action="store_true", help="PyTorch in float32, not float64")
    parser.add_argument(
        "--only", default=EVERY, metavar="GLOB", help="files such as 'focalt_v1/p*'"
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads for the arithmetic")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _misused(message: str) -> int:
    _progress(message)
    return MISUSED
