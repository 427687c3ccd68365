"""Texts in the v0 and v1 wirings: several sentences in one run, and with a point besides.

n texts · T real tokens of all texts together · C = 512
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from seem_model.evaluate.parity.clicks import check_marks, check_unprompted, click_prompts
from seem_model.evaluate.parity.finals import shown_smooth
from seem_model.evaluate.parity.queries import TEXTS, Group, check_group
from seem_model.evaluate.parity.texts import encode_words
from seem_model.published import BY_TEXT, MAX_LOGIT_SCALE

if TYPE_CHECKING:
    from torch import Tensor

    from seem_model.evaluate.parity.setting import Setting
    from seem_model.evaluate.parity.sheet import Sheet
    from seem_model.evaluate.parity.texts import Words

_EPS = 1e-7
_THINNED = 4


def check_grounding(sheet: Sheet, setting: Setting) -> None:
    """Texts on the target picture, and the spatial-queries if there is a point as well.

    In the published tables text and marks don't see each other, so each has a run of its own.
    """
    golden, features = sheet.golden, setting.features()
    words = encode_words(setting.subject, golden["texts"].tolist())
    sheet.given("texts")
    _check_words(sheet, setting, words)
    prompts = setting.nothing(features)._replace(
        text=words.tokens,
        text_mask=words.tokens.new_ones(words.tokens.shape[:3]),
        sentence=words.sentences[None, :1],
        selector=torch.tensor([[BY_TEXT]]),
    )
    decoded = setting.decode(features, prompts)
    check_unprompted(sheet, setting, 1)
    group = Group.of(decoded, 1)
    check_group(sheet, setting, features, group, TEXTS)
    if "pred_pspatials" in golden:
        marks = setting.decode(features, click_prompts(sheet, setting, features))
        check_marks(sheet, setting, features, marks)
        sheet.given("point_yx", ok=_is_the_dot(sheet))
    if "final_mask_bits" in golden:
        _check_choice(sheet, setting, group, words.sentences)


def text_match(setting: Setting, captions: Tensor, sentences: Tensor) -> Tensor:
    """(q, C) captions against (n, C) sentences: (q, n) logits."""
    scale = setting.subject.model.language.logit_scale.detach().exp().clamp(max=MAX_LOGIT_SCALE)
    return scale * _unit(captions) @ _unit(sentences).T


def _check_words(sheet: Sheet, setting: Setting, words: Words) -> None:
    if "input_ids" in sheet.golden:
        sheet.equal("input_ids", words.ids)
    for name, ours in (
        ("grounding_tokens", words.tokens[0, 0, :, None]),
        ("class_emb", words.sentences),
    ):
        if name in sheet.golden:
            sheet.compare(name, ours.numpy(), setting.tolerances.vectors)


def _check_choice(sheet: Sheet, setting: Setting, group: Group, sentences: Tensor) -> None:
    """One query for each text, and its mask at the original size."""
    limits, golden = setting.tolerances, sheet.golden
    match = text_match(setting, group.last.captions[0], sentences)
    chosen = match.argmax(0)
    rows = group.last.embeddings[:, chosen]
    masks = setting.subject.masks(setting.features(), rows)[0].numpy()
    if "match_logits" in golden:
        sheet.compare("match_logits", match.numpy(), limits.logits)
        sheet.equal("matched_id", chosen.numpy())
        name = "matched_masks" if "matched_masks" in golden else "matched_masks_s2"
        step = int(name.partition("_s")[2] or 1)
        sheet.compare(name, masks[:, ::step, ::step], limits.masks)
    final = shown_smooth(masks, setting.sizes())
    sheet.compare("grounding_mask_s4", final[:, ::_THINNED, ::_THINNED], limits.masks)
    sheet.aside(["final_shape"], "shape of the final masks")
    sheet.pixels("final_mask_bits", final > 0, limits.pixels)


def _is_the_dot(sheet: Sheet) -> bool:
    """Whether the prompt's mask is the recorded point and its neighbours."""
    row, column = (int(n) for n in sheet.golden["point_yx"])
    mask = sheet.golden.bits("pos_mask_bits", int(sheet.golden["mask_shape"][2]))[0]
    dot = np.zeros_like(mask)
    dot[row - 1 : row + 2, column - 1 : column + 2] = True
    return bool((mask == dot).all())


def _unit(x: Tensor) -> Tensor:
    return x / (x.norm(dim=-1, keepdim=True) + _EPS)
