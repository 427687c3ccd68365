"""From the arguments of a protocol to the published model that it measures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import torch
from tqdm import tqdm

from seem_model.checkpoint import load_model
from seem_model.clip_tokenizer import ClipTokenizer
from seem_model.evaluate.predictor import Subject
from seem_model.evaluate.published_predictor import PublishedPredictor
from seem_model.evaluate.vocabulary_cache import vocabulary_of
from seem_model.published_bundle import FIXED_ROWS_OF_V1
from seem_model.variants import Wiring
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    import argparse

    import numpy as np
    import numpy.typing as npt

    from seem_model.published import PublishedSeem

NAMING = frozenset({"panoptic", "semantic", "instance"})
"""Protocols that name what they find."""


def load_subject(arguments: argparse.Namespace) -> Subject:
    """The checkpoint, ready to answer on the device, with a vocabulary where names are asked for.

    Raises:
        BadCheckpoint: As `checkpoint.load_model`.
        InvalidValue: There is no such device.
    """
    device = _device(arguments.device)
    model = load_model(arguments.checkpoint, arguments.variant).to(device)
    tokenizer = ClipTokenizer()
    rows = _vocabulary(model, tokenizer, arguments) if arguments.protocol in NAMING else None
    variant = model.variant
    answering = FIXED_ROWS_OF_V1 if variant.wiring is Wiring.V1 else None
    predictor = PublishedPredictor(model, tokenizer, rows, answering)
    return Subject(predictor, variant.name, variant.panoptic_threshold)


def _vocabulary(
    model: PublishedSeem, tokenizer: ClipTokenizer, arguments: argparse.Namespace
) -> npt.NDArray[np.float32]:
    with tqdm(unit="text", desc="vocabulary", file=sys.stderr) as bar:

        def show(n_done: int, n_all: int) -> None:
            bar.total = n_all
            bar.update(n_done - bar.n)

        return vocabulary_of(model, tokenizer, arguments.vocabulary, show)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidValue(f"There is no device {name!r} to run on: {reason}.") from error
    return device
