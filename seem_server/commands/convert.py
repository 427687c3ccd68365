"""`seem convert`: a published SEEM checkpoint becomes a bundle.

Converting takes PyTorch, which serving does without: the work is done by `seem_model.convert` in a
process of its own, with the same options.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import argparse
    from types import FrameType

NEEDED = ("torch", "onnx", "onnxscript", "onnxruntime", "tokenizers", "tqdm")
FAILED = 1

_OPTIONS = ("variant", "precision", "short_side", "long_side", "vocabulary", "query_rows")
_FLAGS = ("accept", "force", "json")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "convert",
        help="make a bundle of a published checkpoint",
        description="Makes a bundle of a published SEEM checkpoint, and holds its masks against"
        " PyTorch's. Nothing in the file is run. Nothing lies under the bundle's name before it is"
        " whole. Needs the extra 'model'.",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a .pt file")
    parser.add_argument("--out", required=True, metavar="DIR", help="the bundle's folder")
    parser.add_argument(
        "--variant",
        metavar="VARIANT",
        help="such as focalt_v0; needed where the file fits several: v0, v1 and demo look the same",
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16", "int8"),
        default="fp32",
        help="how weights are stored; int8 where masks survive it, fp16 elsewhere",
    )
    parser.add_argument(
        "--short-side", metavar="PIXELS", help="images are resized to it (512; SAM ViT: 1000)"
    )
    parser.add_argument(
        "--long-side", metavar="PIXELS", help="unless the long side would pass this (1024)"
    )
    parser.add_argument(
        "--vocabulary",
        default="coco",
        metavar="coco|none|FILE",
        help="the names that masks get; a file has one a line; with none, the bundle can't be asked"
        " for everything",
    )
    parser.add_argument(
        "--query-rows",
        metavar="all|R,R,R",
        help="learned queries that answer marks (v1: 16,50,84; others: all)",
    )
    parser.add_argument(
        "--accept", action="store_true", help="keep a bundle whose masks are not PyTorch's"
    )
    parser.add_argument("--force", action="store_true", help="replace a bundle that is there")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Converts; gives the exit code."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"seem convert: converting needs {', '.join(missing)}, which serving does not:"
            " pip install 'seem-server[serve,model]' (in a clone: pip install -e '.[serve,model]')",
            file=sys.stderr,
        )
        return FAILED
    code = _run([sys.executable, "-m", "seem_model.convert", *command_line(arguments)])
    if code < 0:
        reason = "; it may have taken all memory" if -code == signal.SIGKILL else ""
        print(f"seem convert: the work was killed by signal {-code}{reason}.", file=sys.stderr)
        return FAILED
    return code


def command_line(arguments: argparse.Namespace) -> list[str]:
    """The options of `seem_model.convert` that say what was said here."""
    given = [f"--out={arguments.out}"]
    for name in _OPTIONS:
        value = getattr(arguments, name)
        if value is not None:
            given.append(f"--{name.replace('_', '-')}={value}")
    given += [f"--{name}" for name in _FLAGS if getattr(arguments, name)]
    return [*given, "--", arguments.checkpoint]


def _run(command: list[str]) -> int:
    """Runs a command to its end; who ends this process ends that one, which tidies up."""
    with subprocess.Popen(command) as process:  # noqa: S603  (our own interpreter and module)

        def stop(_number: int, _frame: FrameType | None) -> NoReturn:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGTERM, stop)
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
