"""Encoders at a few thousand weights, and what they become in ONNX Runtime."""

import numpy as np
import onnxruntime
import torch
from torch.export import Dim

from seem_model.graph import export_graph
from seem_model.rule_weights import fill


def filled(module):
    """In inference mode, with weights that hide nothing: no zero bias, no layer scale of one."""
    fill(module)
    return module.eval().requires_grad_(requires_grad=False)


def pictures(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def worst(ours, theirs):
    """Largest difference between lists of maps, in parts of each map's largest magnitude."""
    return max(
        float(np.abs(np.asarray(a) - np.asarray(b)).max() / np.abs(np.asarray(a)).max())
        for a, b in zip(ours, theirs, strict=True)
    )


class _Whole(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)


def exported(module, example, file, *, free):
    """`module` as a function run by ONNX Runtime. `free`: dynamic sizes by axis of its input."""
    export_graph(_Whole(module), (example,), file, inputs=["x"], outputs=[], shapes={"x": free})
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x.numpy()})


def free_sizes(*, axes=(2, 3), multiple=32):
    """Batch, rows and columns, these two in steps of `multiple`."""
    rows, columns = (Dim(f"{side}_{multiple}") for side in ("rows", "columns"))
    if multiple > 1:
        rows, columns = multiple * rows, multiple * columns
    return {0: Dim("batch"), axes[0]: rows, axes[1]: columns}
