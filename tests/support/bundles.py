"""Bundles made for tests, words to spoil them with, and prompts for what is in them."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from seem_server.runtime.backend import PromptArrays
from seem_wire.pixels import MAP_NAMES

FILES = ("image_encoder.onnx", "prompt_decoder.onnx", "text_encoder.onnx", "tokenizer.json")
NAMES = ("cat", "dog")


def manifest():
    """A bundle.json of a bundle without files."""
    return {
        "format": 2,
        "name": "made",
        "variant": "tiny",
        "version": "0.1.0",
        "image": {
            "resize": {"kind": "long_side", "long_side": 128, "side_multiple": 4},
            "filter": "bilinear",
            "divisor": 32,
            "mean": [127.5] * 3,
            "std": [127.5] * 3,
            "buckets": [[128, 128]],
        },
        "decoder": {"kind": "refined"},
        "everything": None,
        "prompts": ["point", "text"],
        "mask_stride": 4,
        "mask_threshold": 0.0,
        "text": {"max_tokens": 8, "width": 6, "clean": False},
        "joint_width": 3,
        "vocabulary": {"names": list(NAMES), "scale": 10.0},
        "features": ["scale_32", "scale_16"],
        "precision": "fp32",
        "licences": [{"covers": "everything", "licence": "Apache-2.0", "source": ""}],
        "provenance": {"made": {"by": ["hand"]}},
        "files": {},
    }


def write_bundle(folder, *, names=NAMES, **changes):
    """Writes a bundle whose graphs are no graphs, but whose manifest is right; gives the folder.

    `changes` are put into the manifest.
    """
    folder.mkdir(exist_ok=True)
    for name in FILES:
        (folder / name).write_bytes(name.encode())
    np.save(folder / "vocabulary.npy", np.ones((len(names), 3), np.float32))
    relist(folder, **(manifest() | {"vocabulary": {"names": list(names), "scale": 10.0}} | changes))
    return folder


def relist(folder, **document):
    """Writes bundle.json anew, with the files as they are now."""
    files = {path.name: entry(path) for path in folder.iterdir() if path.name != "bundle.json"}
    (folder / "bundle.json").write_text(json.dumps({"files": files} | document | {"files": files}))


def entry(path):
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def edit(folder, change):
    """Lets `change` alter the document in bundle.json."""
    path = folder / "bundle.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def prompts(backend, n=1, *, n_points=2, seed=0):
    """Random prompts of `n` objects for an image of 64 x 96 network pixels."""
    rng = np.random.default_rng(seed)
    width = backend.manifest.text.width
    return PromptArrays(
        points=rng.random((n, n_points, 2), np.float32) * np.float32(64),
        labels=rng.integers(0, 2, (n, n_points)).astype(np.float32),
        maps=rng.random((n, len(MAP_NAMES), 16, 24), np.float32),
        previous_mask=rng.random((n, 16, 24), np.float32) - np.float32(0.5),
        has_previous=np.ones(n, np.float32),
        text=rng.random((n, 1 + seed % 2, width), np.float32),
        text_mask=np.ones((n, 1 + seed % 2), np.float32),
        example=rng.random((n, backend.manifest.joint_width), np.float32),
        has_example=np.zeros(n, np.float32),
    )
