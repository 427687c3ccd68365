"""Steps of an exported graph put as ONNX Runtime does them quickly. Only roundings change.

    python -m seem_model.tighten BUNDLE --out FOLDER

The exporter computes the size that a map is resized to; ONNX Runtime then leaves the layout in
which it convolves, and comes back to it after. A constant scale keeps it there. And it sums along
channels one number at a time; a convolution with ones is ten times as fast.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seem_model.bundle_folder import remake_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Shape = tuple[int | str, ...]
    Shapes = Mapping[str, Shape]

COMMAND = "python -m seem_model.tighten"
_SIDES = 4  # B, C, h, w
_RESIZE_INPUTS = ("X", "roi", "scales", "sizes")
_TERM = re.compile(r"(?:(\d+)\*)?([A-Za-z]\w*)")


def tighten(model: onnx.ModelProto) -> None:
    """Rewrites what there is to rewrite, and drops what nothing needs any more."""
    graph = model.graph
    shapes = map_shapes(graph)
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        shape = shapes.get(node.input[0], ()) if node.input else ()
        if node.op_type == "Resize":
            nodes.append(_scaled(graph, node, shape, shapes.get(node.output[0], ())))
        elif node.op_type == "ReduceL2" and _is_along_channels(node, shape, constants):
            nodes += _length(graph, node, int(shape[1]))
        else:
            nodes.append(node)
    _keep(graph, nodes)


def tighten_file(file: Path) -> None:
    """The same with a file, in place; one in which there is nothing to rewrite stays as it is."""
    model = onnx.load(file)
    before = [node.op_type for node in model.graph.node]
    tighten(model)
    if [node.op_type for node in model.graph.node] != before:
        onnx.save(model, file)


def tighten_bundle(bundle: Path, out: Path, *, force: bool) -> None:
    """A bundle with the graphs of another, tightened; all else is the same.

    Raises:
        OutputTaken: Something is there that is not to be replaced.
        DiskFull: The disk is.
    """

    def change(part: Path, manifest: dict[str, Any]) -> None:
        for file in part.glob("*.onnx"):
            tighten_file(file)
        manifest["provenance"]["graphs"] = COMMAND

    remake_bundle(bundle, out, change, force=force)


def _scaled(
    graph: onnx.GraphProto, node: onnx.NodeProto, before: Shape, after: Shape
) -> onnx.NodeProto:
    """A resize by a constant scale, where shapes tell it; the node itself where they do not."""
    scales = [_ratio(*pair) for pair in zip(before, after, strict=False)]
    by_size = len(node.input) == len(_RESIZE_INPUTS)
    if not (by_size and scales and len(before) == len(after)) or None in scales:
        return node
    if set(scales) == {1.0}:
        return helper.make_node("Identity", node.input[:1], node.output, name=node.name)
    name = f"{node.name}_scales"
    graph.initializer.append(numpy_helper.from_array(np.array(scales, np.float32), name))
    scaled = onnx.NodeProto()
    scaled.CopyFrom(node)
    scaled.input[:] = [*node.input[:2], name]
    return scaled


def _length(graph: onnx.GraphProto, node: onnx.NodeProto, channels: int) -> list[onnx.NodeProto]:
    """The length of the vectors (B, C, h, w) along C, (B, 1, h, w)."""
    ones, squares, sums = (f"{node.name}_{part}" for part in ("ones", "squares", "sums"))
    kernel = np.ones((1, channels, 1, 1), np.float32)
    graph.initializer.append(numpy_helper.from_array(kernel, ones))
    return [
        helper.make_node("Mul", [node.input[0]] * 2, [squares], name=squares),
        helper.make_node("Conv", [squares, ones], [sums], name=sums),
        helper.make_node("Sqrt", [sums], node.output, name=node.name),
    ]


def _is_along_channels(
    node: onnx.NodeProto, shape: Shape, constants: Mapping[str, np.ndarray]
) -> bool:
    if len(shape) != _SIDES or not isinstance(shape[1], int) or len(node.input) == 1:
        return False
    axes = constants.get(node.input[1])
    keeps = all(one.i for one in node.attribute if one.name == "keepdims")
    return axes is not None and axes.tolist() == [1] and keeps


def _keep(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Puts `nodes` into the graph, without those, and constants, that nothing needs."""
    needed = {one.name for one in graph.output}
    kept = []
    for node in reversed(list(nodes)):  # in their order, each after what it takes
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    constants = [one for one in graph.initializer if one.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)


def map_shapes(graph: onnx.GraphProto) -> dict[str, Shape]:
    """The shapes that a graph tells, by its values' names; a side may be a name, or a multiple."""
    values = (*graph.value_info, *graph.input, *graph.output)
    return {
        one.name: tuple(side.dim_param or side.dim_value for side in one.type.tensor_type.shape.dim)
        for one in values
    }


def _ratio(before: int | str, after: int | str) -> float | None:
    """How many times a side another is: of 2*rows and 8*rows 4; None where that depends."""
    if before == after:
        return 1.0
    (n, of), (m, of_other) = side_term(before), side_term(after)
    return m / n if of == of_other and n else None


def side_term(side: int | str) -> tuple[int, str]:
    """A side as a number of times a name; of no name where it is a number."""
    if isinstance(side, int):
        return side, ""
    found = _TERM.fullmatch(side)
    return (int(found[1] or 1), found[2]) if found else (1, side)


def main() -> None:
    """Reads the arguments and writes a bundle."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the new bundle's folder")
    parser.add_argument("--force", action="store_true", help="replace a bundle that is there")
    arguments = parser.parse_args()
    tighten_bundle(arguments.bundle, arguments.out, force=arguments.force)
    sys.stdout.write(f"{arguments.out}\n")


if __name__ == "__main__":
    main()
