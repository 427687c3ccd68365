"""Referring images in the v0 and v1 wirings: tokens from one picture, found in another.

V tokens · C = 512
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from seem_model.decoder import N_LEVELS
from seem_model.evaluate.parity.clicks import check_marks, check_unprompted
from seem_model.evaluate.parity.draws import RecordedDraws, as_points, belong
from seem_model.evaluate.parity.setting import REFERENCE
from seem_model.published import BY_EXAMPLE

if TYPE_CHECKING:
    from seem_model.evaluate.parity.setting import Setting
    from seem_model.evaluate.parity.sheet import Sheet
    from seem_model.evaluate.parity.tolerances import Tolerance
    from seem_model.published import ExampleTokens, QueryPrompts


def check_refimg(sheet: Sheet, setting: Setting) -> None:
    """The tokens; and what they find in the target, where the reference gets that far (v0)."""
    tokens = check_tokens(sheet, setting, "spatial", setting.tolerances.maps)
    features = setting.features()
    decoded = setting.decode(features, with_example(setting.nothing(features), tokens))
    if not torch.isfinite(decoded.answers.mask_logits).all():
        raise ValueError(f"{sheet.golden.label}: the target's mask is not finite")
    if "target_error" in sheet.golden:
        sheet.aside(["target_error"], "the reference fails on the target; ours was run")
        return
    pooled = torch.stack([tokens.vector, tokens.negative_vector], dim=2)
    decoded = decoded._replace(answers=decoded.answers._replace(pooled=pooled))
    check_unprompted(sheet, setting, 1)
    check_marks(sheet, setting, features, decoded)
    chosen = decoded.answers.mask_logits
    sheet.compare("prev_mask_out", chosen.numpy(), setting.tolerances.masks)


def check_tokens(sheet: Sheet, setting: Setting, word: str, limit: Tolerance) -> ExampleTokens:
    """The tokens of the reference picture's prompt, against the arrays named after `word`."""
    golden = sheet.golden
    draws = RecordedDraws(sheet).of(0)
    mask = golden.bits("ref_mask_bits", setting.sizes(REFERENCE).resized[1])[0]
    fits = belong([draws], [{1: mask, 0: mask & False}], shared=True)
    sheet.given("ref_mask_bits", ok=fits)
    points, labels = as_points([draws], setting.subject.dtype)
    tokens = setting.subject.example(setting.features(REFERENCE), points, labels)
    for name, vector in (("pos", tokens.vector), ("neg", tokens.negative_vector)):
        sheet.compare(f"{word}_query_{name}", vector.numpy(), setting.tolerances.vectors)
    for level in range(N_LEVELS):
        ours = tokens.examples[0, 0, level][:, None]  # (V, 1, C), as recorded
        sheet.compare(f"src_{word}_queries_{level}", ours.numpy(), limit)
        padding = np.zeros((1, len(ours)), np.bool_)
        sheet.equal(f"src_{word}_maskings_{level}", padding)
    return tokens


def with_example(prompts: QueryPrompts, tokens: ExampleTokens) -> QueryPrompts:
    """`prompts` of one object, and what the example shows."""
    return prompts._replace(
        examples=tokens.examples,
        example_mask=tokens.examples.new_ones(*tokens.examples.shape[:2], tokens.examples.shape[3]),
        example_vector=tokens.vector,
        selector=torch.full_like(prompts.selector, BY_EXAMPLE),
    )
