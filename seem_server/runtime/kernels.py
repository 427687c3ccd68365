"""What a graph's kernels compute and move, out of ONNX Runtime's own record of a run.

An operation is an addition or a multiplication of a convolution or a matrix product; what other
kernels compute is small beside the bytes that they move. A byte counts once for each kernel that
reads or writes it.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Shape = tuple[int, ...]

_BYTES = {"float": 4, "double": 8, "float16": 2, "bfloat16": 2, "int64": 8, "uint64": 8, "int32": 4}
_BYTES |= {"uint32": 4, "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1}

_CONVOLUTIONS = frozenset({"Conv", "FusedConv", "ConvInteger", "QLinearConv", "NhwcFusedConv"})
_PRODUCTS = frozenset(
    {"MatMul", "FusedMatMul", "Gemm", "FusedGemm", "MatMulInteger", "MatMulIntegerToFloat"}
    | {"DynamicQuantizeMatMul", "QLinearMatMul"}
)
_VIEWS = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Shape"})
"""Kernels that answer with the memory they were given."""

_KERNEL = "_kernel_time"


@dataclass(frozen=True, slots=True)
class Kernel:
    """One step of a graph's run.

    Attributes:
        name: Its node's.
        op: What it is, in ONNX's words.
        operations: Additions and multiplications of convolutions and matrix products.
        nbytes: Bytes that it reads and writes.
        weight_bytes: Of these, the graph's own.
        ms: The shortest time that it took, of the runs that were recorded.
    """

    name: str
    op: str
    operations: int
    nbytes: int
    weight_bytes: int
    ms: float


def read_record(path: Path, *, runs: int) -> tuple[Kernel, ...]:
    """The kernels of the last `runs` runs in a record, which must be alike, in their order.

    Raises:
        ValueError: There were fewer runs.
    """
    events = json.loads(path.read_text("utf-8"))
    starts = [one["ts"] for one in events if one["name"] == "model_run"]
    if len(starts) < runs:
        raise ValueError(f"{path.name} has {len(starts)} runs, not {runs}.")
    since = sorted(starts)[-runs]
    times: defaultdict[str, list[int]] = defaultdict(list)
    told: dict[str, dict[str, Any]] = {}
    for one in events:
        if one.get("cat") == "Node" and one["name"].endswith(_KERNEL) and one["ts"] >= since:
            name = one["name"].removesuffix(_KERNEL)
            times[name].append(one["dur"])
            told[name] = one["args"]
    return tuple(_kernel(name, args, min(times[name]) / 1000) for name, args in told.items())


def operations(op: str, taken: Sequence[Shape], given: Sequence[Shape]) -> int:
    """Additions and multiplications of a kernel that takes and gives arrays of these shapes."""
    if not given or len(taken) <= 1:
        return 0
    if op in _CONVOLUTIONS:  # the second array is its weights: (out, in / groups, ...)
        summed = math.prod(taken[1][1:])
    elif op in _PRODUCTS:  # either of the first two may be transposed
        summed = math.prod(taken[0]) // max(math.prod(taken[0][:-2]) * given[0][-2], 1)
    elif op == "Einsum":
        shared = Counter(taken[0]) & Counter(taken[1])
        summed = math.prod((shared - Counter(given[0])).elements())
    else:
        return 0
    return 2 * math.prod(given[0]) * summed


def _kernel(name: str, args: Mapping[str, Any], ms: float) -> Kernel:
    op = args["op_name"]
    taken, given = args["input_type_shape"], args["output_type_shape"]
    moved = 0 if op in _VIEWS else sum(_nbytes(one) for one in (*taken, *given))
    shapes = [[tuple(next(iter(one.values()))) for one in some] for some in (taken, given)]
    weights = int(args.get("parameter_size") or 0)
    return Kernel(name, op, operations(op, *shapes), moved, weights, ms)


def _nbytes(typed: Mapping[str, Sequence[int]]) -> int:
    return sum(_BYTES.get(kind, 4) * math.prod(shape) for kind, shape in typed.items())
