"""A published SEEM checkpoint becomes a bundle, whose masks were held against PyTorch's.

The bundle is written beside its final name and moved there when it is whole; whatever happens
before, nothing lies under that name.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tqdm import tqdm

from seem_model.conversion import ALL_ROWS, Wishes, convert
from seem_model.precision import Precision
from seem_model.variants import VARIANTS
from seem_model.vocabulary_file import read_vocabulary
from seem_wire.errors import InvalidValue, SeemError, VariantNeeded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

DONE, FAILED, MISUSED = 0, 1, 2
LEAST_SIDE, MOST_SIDE = 32, 4096
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Converts as the command line `argv` says, and gives the exit code."""
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what was wrong, or shown its help
        return end.code if isinstance(end.code, int) else MISUSED
    try:
        with _stoppable():
            document = _convert(arguments)
    except (InvalidValue, VariantNeeded) as error:
        return _say(error, MISUSED)
    except (SeemError, OSError) as error:
        return _say(error, FAILED)
    except _Stopped:
        return _say("stopped; nothing was written.", FAILED)
    except Exception as error:  # an edge: whatever broke becomes an exit code
        logger.exception("the conversion broke")
        return _say(f"{type(error).__name__}: {error}", FAILED)
    text = json.dumps(document) if arguments.json else "\n".join(summary(document))
    sys.stdout.write(f"{text}\n")
    return DONE


def build_parser() -> argparse.ArgumentParser:
    """The parser; `seem convert` has the same options."""
    parser = argparse.ArgumentParser(prog="seem convert", description=__doc__)
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a .pt file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the bundle")
    parser.add_argument(
        "--variant", choices=VARIANTS, metavar="VARIANT", help=f"one of {', '.join(VARIANTS)}"
    )
    parser.add_argument(
        "--precision",
        choices=[one.value for one in Precision],
        default="fp32",
        help="how weights are stored; int8 where masks survive it, fp16 elsewhere",
    )
    parser.add_argument(
        "--short-side", type=_side, metavar="PIXELS", help="images are resized to it (512)"
    )
    parser.add_argument(
        "--long-side", type=_side, metavar="PIXELS", help="unless this would be passed (1024)"
    )
    parser.add_argument(
        "--vocabulary",
        default="coco",
        metavar="coco|none|FILE",
        help="names, one a line; or an .npz of names and embeddings, the background last",
    )
    parser.add_argument(
        "--query-rows",
        type=read_rows,
        metavar="all|R,R,R",
        help="learned queries that answer marks (v1: 16,50,84; others: all)",
    )
    parser.add_argument(
        "--accept", action="store_true", help="keep a bundle whose masks are not PyTorch's"
    )
    parser.add_argument("--force", action="store_true", help="replace a bundle that is there")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def read_rows(text: str) -> tuple[int, ...]:
    """Query rows of "all" or "16,50,84", for the parser."""
    if text == "all":
        return ALL_ROWS
    rows = text.split(",")
    if not all(row.strip().isdecimal() for row in rows):
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'all' nor numbers such as 16,50,84")
    return tuple(map(int, rows))


def summary(document: dict[str, Any]) -> list[str]:
    """What a person is told at the end."""
    parity = document["parity"]
    seconds = document["seconds"]
    ran, peak = sum(seconds.values()), document["peak_memory_bytes"] / 1e9
    height, width = parity["input"]
    lines = [
        f"bundle      {document['bundle']}, {document['bytes'] / 1e6:.1f} MB",
        f"variant     {document['variant']}, {document['precision']}",
        f"image       short side {document['short_side']}, long side {document['long_side']} px",
        f"names       {document['names'] or 'none: it cannot be asked for everything'}",
        f"took        {ran:.0f} s ({_longest(seconds)}), at most {peak:.2f} GB of memory",
        f"parity      with PyTorch on {height} x {width} px; least mask IoU {parity['least_iou']}",
    ]
    for prompt, found in parity["prompts"].items():
        iou, error, scale = found["mask_iou"], found["max_error"], found["max_logit"]
        lines.append(f"  {prompt:15} mask IoU {iou:.5f}, largest error {error:.2g} of {scale:.3g}")
    if not parity["passed"]:
        lines.append("  below that, and kept because of --accept")
    stored = (f"{Path(name).stem} {how}" for name, how in document["stored"].items())
    lines.append(f"stored as   {', '.join(stored)}")
    return lines


class ShownProgress:
    """Stages as lines, and at a terminal the count within one as a bar, on standard error."""

    def __init__(self, *, bars: bool = True) -> None:
        self._bars = bars
        self._start = time.monotonic()
        self._bar: tqdm[NoReturn] | None = None

    def stage(self, name: str) -> None:
        """Begins a stage."""
        self.close()
        sys.stderr.write(f"{time.monotonic() - self._start:6.0f} s  {name}\n")
        sys.stderr.flush()

    def count(self, done: int, total: int) -> None:
        """Moves the stage's bar."""
        if self._bar is None:
            hidden = None if self._bars else True  # None: unless it is a terminal
            self._bar = tqdm(
                total=total, file=sys.stderr, leave=False, unit=" texts", disable=hidden
            )
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Stopped(BaseException):
    """The process was asked to end."""


def _convert(arguments: argparse.Namespace) -> dict[str, Any]:
    wishes = Wishes(
        checkpoint=arguments.checkpoint,
        out=arguments.out,
        variant=arguments.variant,
        precision=Precision(arguments.precision),
        short_side=arguments.short_side,
        long_side=arguments.long_side,
        vocabulary=read_vocabulary(arguments.vocabulary),
        query_rows=arguments.query_rows,
        accept=arguments.accept,
        force=arguments.force,
    )
    progress = ShownProgress(bars=not arguments.json)
    # Exporters print and warn; standard output is for the result alone.
    with (
        contextlib.redirect_stdout(sys.stderr),
        contextlib.closing(progress),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        return convert(wishes, progress)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Within, SIGINT and SIGTERM end the work once, so that nothing disturbs the tidying up."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _side(text: str) -> int:
    side = int(text) if text.isdecimal() else -1
    if not LEAST_SIDE <= side <= MOST_SIDE:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of {LEAST_SIDE} to {MOST_SIDE}")
    return side


def _longest(seconds: dict[str, float]) -> str:
    ranked = sorted(seconds, key=lambda stage: -seconds[stage])
    return ", ".join(f"{stage} {seconds[stage]:.0f}" for stage in ranked[:3])


def _say(error: Exception | str, code: int) -> int:
    sys.stderr.write(f"seem convert: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
