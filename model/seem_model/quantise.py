"""A bundle whose image encoder computes mostly in bytes: in 60 % of the time, where a CPU has VNNI.

    python -m seem_model.quantise BUNDLE --images DIR --out FOLDER

For bundles of our own models. In bytes are the backbone from stride 8 on and what mixes maps after
it, the convolutions of 3 x 3 pixels. Strides 2 and 4, attention and the last step of each feature
stay as they are: they take little time, or cost a tenth of what the encoder tells. Ranges are
those of some photos, which need no marks.

Weights have all of their eight bits. Processors without VNNI (before Intel's Ice Lake and AMD's
Zen 4) add such products in 16 bits, which overflow: there a float bundle is quicker and right.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image

from seem_model.bundle_folder import remake_bundle
from seem_model.tighten import map_shapes, side_term
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMAND = "python -m seem_model.quantise"
ENCODER = "image_encoder.onnx"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
COARSEST = 32
FINEST_IN_BYTES = 8
_SIDES = 4  # B, C, h, w


def quantise_bundle(bundle: Path, images: Sequence[Path], out: Path, *, force: bool) -> None:
    """A bundle like another, its image encoder in bytes, with the ranges that `images` have.

    Raises:
        InvalidValue: There is no image, or the encoder's backbone is none of ours.
        OutputTaken: Something is there that is not to be replaced.
        DiskFull: The disk is.
    """
    if not images:
        raise InvalidValue(f"There is no image to see ranges of ({', '.join(sorted(SUFFIXES))}).")

    def change(part: Path, manifest: dict[str, Any]) -> None:
        inputs = (network_input(file, manifest["image"]) for file in images)
        _quantise(part / ENCODER, inputs)
        manifest["name"] += "-int8"
        manifest["precision"] += ", image encoder mostly int8"
        manifest["provenance"]["encoder"] = f"{COMMAND}, {len(images)} images"

    remake_bundle(bundle, out, change, force=force)


def in_bytes(graph: onnx.GraphProto) -> list[str]:
    """The names of the steps that are quantised.

    Raises:
        InvalidValue: The graph has no backbone with activations that end at 6.
    """
    shapes = map_shapes(graph)
    nodes = [node for node in graph.node if _is_coarse(shapes.get(node.output[0], ()))]
    clips = [index for index, node in enumerate(nodes) if node.op_type == "Clip"]
    if not clips:
        raise InvalidValue("Only encoders with the backbone of our own models can be quantised.")
    end = next(i for i in range(clips[-1], len(nodes)) if nodes[i].op_type == "Conv") + 1
    backbone = [one for one in nodes[:end] if one.op_type in {"Conv", "Clip", "Add"}]
    kernels = {one.name: tuple(one.dims[2:]) for one in graph.initializer}
    mixing = [one for one in nodes[end:] if kernels.get([*one.input, ""][1], ()) == (3, 3)]
    mixed = {one.output[0] for one in mixing}
    after = [one for one in nodes[end:] if one.op_type == "Relu" and one.input[0] in mixed]
    return [one.name for one in (*backbone, *mixing, *after)]


def network_input(file: Path, spec: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """An image as the encoder takes it, (1, 3, H, W): about as the server would make it."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    step, divisor = spec["resize"]["side_multiple"], spec["divisor"]
    scale = spec["resize"]["long_side"] / max(image.size) / step
    width, height = (max(round(side * scale), 1) * step for side in image.size)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    normal = (pixels - np.float32(spec["mean"])) / np.float32(spec["std"])
    below, beside = -height % divisor, -width % divisor
    return np.pad(normal, ((0, below), (0, beside), (0, 0))).transpose(2, 0, 1)[None]


class _Inputs(CalibrationDataReader):
    def __init__(self, inputs: Iterator[np.ndarray[Any, np.dtype[np.float32]]]) -> None:
        self._inputs = inputs

    def get_next(self) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]] | None:
        image = next(self._inputs, None)
        return None if image is None else {"image": image}


def _quantise(file: Path, inputs: Iterator[np.ndarray[Any, np.dtype[np.float32]]]) -> None:
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # of channels that are always nought
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepared = Path(folder) / file.name
            chosen = in_bytes(onnx.load(file).graph)  # in the order in which it was written
            quant_pre_process(file, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                file,
                _Inputs(inputs),
                nodes_to_quantize=chosen,
                op_types_to_quantize=["Conv", "Add", "Clip", "Relu"],
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
    finally:
        logging.disable(disabled)


def _is_coarse(shape: tuple[int | str, ...]) -> bool:
    """Whether that is a map of a stride that is quantised: the coarsest has sides of 1 times r."""
    return len(shape) == _SIDES and side_term(shape[2])[0] * FINEST_IN_BYTES <= COARSEST


def _images(folder: Path, count: int) -> list[Path]:
    files = sorted(one for one in folder.rglob("*") if one.suffix.lower() in SUFFIXES)
    return files[:: max(len(files) // count, 1)][:count]


def main() -> None:
    """Reads the arguments and writes a bundle."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--images", type=Path, required=True, help="a folder of photos")
    parser.add_argument("--out", type=Path, required=True, help="the new bundle's folder")
    parser.add_argument("--count", type=int, default=256, help="of images to look at")
    parser.add_argument("--force", action="store_true", help="replace a bundle that is there")
    arguments = parser.parse_args()
    images = _images(arguments.images, max(arguments.count, 1))
    quantise_bundle(arguments.bundle, images, arguments.out, force=arguments.force)
    sys.stdout.write(f"{arguments.out}\n")


if __name__ == "__main__":
    main()
