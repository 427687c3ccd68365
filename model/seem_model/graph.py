"""One ONNX graph from one torch module, with nothing in it that tells of the exporting machine."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import onnx
import torch

from seem_model.translations import TRANSLATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import nn

OPSET = 18


def export_graph(
    module: nn.Module,
    arguments: tuple[Any, ...],
    file: Path,
    *,
    inputs: list[str],
    outputs: list[str],
    shapes: dict[str, Any],
) -> None:
    """Exports `module` called with `arguments`, naming inputs and outputs in their order.

    `shapes`: the dynamic dimensions of the arguments, as `torch.export` takes them.
    """
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # the exporter deprecates its own helpers
        torch.onnx.export(
            module.eval(),
            arguments,
            file,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
            custom_translation_table=dict(TRANSLATIONS),
        )
    graph = onnx.load(file)
    for node in graph.graph.node:  # traces of the exporting machine have no place in a bundle
        del node.metadata_props[:]
        node.doc_string = ""
    del graph.graph.metadata_props[:]
    del graph.metadata_props[:]
    onnx.save(graph, file)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on what it leaves as it is."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
