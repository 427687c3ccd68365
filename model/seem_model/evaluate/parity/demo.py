"""The demo wiring: the object queries see every prompt there is, together.

V example tokens · C = 512
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from seem_model.evaluate.parity.clicks import check_pooled
from seem_model.evaluate.parity.draws import RecordedDraws, as_points, belong
from seem_model.evaluate.parity.examples import check_tokens, with_example
from seem_model.evaluate.parity.finals import shown
from seem_model.evaluate.parity.golden import Golden
from seem_model.evaluate.parity.queries import OBJECTS, Group, check_group
from seem_model.evaluate.parity.texts import encode_words
from seem_model.evaluate.parity.tolerances import Tolerance
from seem_model.published import BY_MARKS, BY_TEXT

if TYPE_CHECKING:
    from seem_model.evaluate.parity.setting import Setting
    from seem_model.evaluate.parity.sheet import Sheet
    from seem_model.evaluate.parity.subject import Decoded
    from seem_model.published import ExampleTokens, QueryFeatures, QueryPrompts

TOKENS = "example_tokens"
VIDEO = "video_frame"
ROLL = (5, 9)
"""Rows and columns by which each recorded video frame is rolled further."""

HALF_PRECISION = Tolerance(5e-4, relative=True)
"""The demo's tokens were stored as float16."""


def check_example_tokens(sheet: Sheet, setting: Setting) -> None:
    """The tokens that the demo's examples go on with."""
    check_tokens(sheet, setting, "visual", HALF_PRECISION)


def check_demo(sheet: Sheet, setting: Setting) -> None:
    """One request to the demo program: strokes, texts and examples in any combination."""
    golden = sheet.golden
    case = golden.label.rpartition("/")[2]
    features = _frame(setting, case)
    prompts = setting.nothing(features)
    if "text" in golden or "audio" in golden:
        prompts = _with_text(prompts, sheet, setting)
    tokens = None
    if "example" in case or case.startswith(VIDEO):
        tokens = setting.example(Golden(golden.path.with_stem(TOKENS)))
        prompts = with_example(prompts, tokens)
    if "pts_pos_mean" in golden:
        prompts = _with_marks(prompts, sheet, setting)
    decoded = setting.decode(features, prompts)
    check_group(sheet, setting, features, Group.of(decoded, 1), OBJECTS)
    if "pred_pspatials" in golden:
        check_pooled(sheet, setting, decoded.answers.pooled, 1)
    if tokens is not None:
        _check_example(sheet, setting, tokens)
    if "match_logits" in golden:
        _check_choice(sheet, setting, decoded)


def _frame(setting: Setting, case: str) -> QueryFeatures:
    """The target picture, or that video frame of it."""
    number = int(case.removeprefix(VIDEO)) if case.startswith(VIDEO) else 0
    if number == 0:
        return setting.features()
    return setting.rolled(ROLL[0] * number, ROLL[1] * number)


def _with_text(prompts: QueryPrompts, sheet: Sheet, setting: Setting) -> QueryPrompts:
    """Speech is text, once it is recognised."""
    name = "audio" if "audio" in sheet.golden else "text"
    recorded = "audio" if name == "audio" else "grounding"
    words = encode_words(setting.subject, sheet.golden[name].tolist())
    sheet.given(name)
    limit = setting.tolerances.vectors
    sheet.compare(f"{recorded}_tokens", words.tokens[0, 0, :, None].numpy(), limit)
    sheet.compare(f"{recorded}_class", words.sentences.numpy(), limit)
    return prompts._replace(
        text=words.tokens,
        text_mask=words.tokens.new_ones(words.tokens.shape[:3]),
        sentence=words.sentences[None],
        selector=torch.full_like(prompts.selector, BY_TEXT),
    )


def _with_marks(prompts: QueryPrompts, sheet: Sheet, setting: Setting) -> QueryPrompts:
    golden = sheet.golden
    draws = RecordedDraws(sheet).of(0)
    positive = "stroke_bits" if "stroke_bits" in golden else "pos_mask_bits"
    size = setting.sizes()
    width = size.resized[1] if positive == "stroke_bits" else size.padded[1]
    masks = {1: golden.bits(positive, width)[0]}
    masks[0] = masks[1] & False
    names = [positive]
    if "neg_mask_bits" in golden:
        masks[0] = golden.bits("neg_mask_bits", width)[0]
        names.append("neg_mask_bits")
        sheet.aside(["mask_shape"], "shape of the prompt's masks")
    sheet.given(*names, ok=belong([draws], [masks], shared=False))
    points, labels = as_points([draws], setting.subject.dtype)
    return prompts._replace(
        points=points, labels=labels, selector=torch.full_like(prompts.selector, BY_MARKS)
    )


def _check_example(sheet: Sheet, setting: Setting, tokens: ExampleTokens) -> None:
    """The pooled vectors pass through the run as they came."""
    for name, vector in (
        ("pred_pvisuals", tokens.vector),
        ("pred_nvisuals", tokens.negative_vector),
    ):
        sheet.compare(name, vector.numpy(), setting.tolerances.vectors)


def _check_choice(sheet: Sheet, setting: Setting, decoded: Decoded) -> None:
    """The matched query with its class and its mask, at the resized size as the demo shows it."""
    answers, limits = decoded.answers, setting.tolerances
    selected = answers.selected[0, 0]
    classes = setting.class_logits(answers.captions[0, 0]).argmax(1)
    sheet.compare("match_logits", answers.match[0, 0].numpy(), limits.logits)
    sheet.equal("matched_query", selected.numpy())
    sheet.equal("matched_class", classes[selected].numpy())
    sheet.compare("matched_mask_logits", answers.mask_logits[0].numpy(), limits.masks)
    sheet.aside(["final_shape"], "shape of the final masks")
    final = shown(answers.mask_logits[0].numpy(), setting.sizes())
    sheet.pixels("final_mask_bits", final > 0, limits.pixels)
