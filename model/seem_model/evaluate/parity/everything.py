"""Generic segmentation: object queries without a prompt; panoptic, semantic, instance output.

Q = 101 queries · K = 133 classes and one for background · H, W the original picture
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seem_model.evaluate.parity.finals import shown_smooth
from seem_model.evaluate.parity.queries import OBJECTS, Group, check_group
from seem_model.evaluate.parity.setting import Sizes
from seem_model.vocabularies import N_THINGS
from seem_wire import rle
from seem_wire.segments import instances, panoptic, semantic_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seem_model.evaluate.parity.setting import Setting
    from seem_model.evaluate.parity.sheet import Sheet
    from seem_model.evaluate.parity.tolerances import Tolerances

    Float32 = NDArray[np.float32]

THINGS = range(N_THINGS)
_PANOPTIC = re.compile(r"panoptic_seg(_t(?P<threshold>[\d.]+))?(_o(?P<overlap>[\d.]+))?")
_BEST = re.compile(r"inst_masks_top(\d+)")
_SEMANTIC_STEP = 16
_OVERLAP = 0.8


def check_everything(sheet: Sheet, setting: Setting) -> None:
    """The model's answers without a prompt, and what becomes of them."""
    decoded, features = setting.everything(), setting.features()
    check_group(sheet, setting, features, Group.of(decoded, 1), OBJECTS)
    logits = setting.class_logits(decoded.answers.captions[0, 0])
    masks = setting.subject.masks(features, decoded.answers.embeddings[:, 0])[0]
    probabilities = logits.softmax(1).numpy().astype(np.float32)
    finals = shown_smooth(masks.numpy(), setting.sizes())
    threshold = setting.subject.model.variant.panoptic_threshold
    check_segments(sheet, setting.tolerances, probabilities, finals, threshold)


def check_postprocessing(sheet: Sheet, tolerances: Tolerances) -> None:
    """Post-processing alone, of answers that were made up and recorded: no model takes part."""
    golden = sheet.golden
    sheet.given("pred_logits", "pred_masks", "input_hw", "padded_hw", "output_hw")
    height_width = [tuple(golden[f"{name}_hw"].tolist()) for name in ("output", "input", "padded")]
    logits = torch.from_numpy(golden["pred_logits"][0])
    finals = shown_smooth(golden["pred_masks"][0], Sizes(*height_width))
    check_segments(sheet, tolerances, logits.softmax(1).numpy(), finals, 0.0)


def check_segments(
    sheet: Sheet, tolerances: Tolerances, probabilities: Float32, masks: Float32, threshold: float
) -> None:
    """Panoptic, semantic and instance output of probabilities (Q, K + 1) and masks (Q, H, W).

    `threshold`: of the panoptic output whose name doesn't tell it.
    """
    for name in sheet.golden.names:
        if match := _PANOPTIC.fullmatch(name):
            at = float(match["threshold"] or threshold)
            overlap = float(match["overlap"] or _OVERLAP)
            found = panoptic(probabilities, masks, THINGS, at, overlap)
            sheet.equal(name, found.ids, most=tolerances.pixels)
            rows = [[one.id, int(one.is_thing), one.label] for one in found.segments]
            segments = np.array(rows, np.int64).reshape(-1, 3)
            sheet.equal(name.replace("_seg", "_info"), segments)
    scores = semantic_scores(probabilities, masks)
    thinned = scores[:, ::_SEMANTIC_STEP, ::_SEMANTIC_STEP]
    sheet.equal("sem_seg_argmax", scores.argmax(0), most=tolerances.pixels)
    sheet.compare("sem_seg_s16", thinned, tolerances.maps)  # sums over all queries: up to 50
    _check_instances(sheet, tolerances, probabilities, masks)


def _check_instances(
    sheet: Sheet, tolerances: Tolerances, probabilities: Float32, masks: Float32
) -> None:
    found = instances(probabilities, masks, THINGS)
    sheet.compare("inst_scores", _column([one.score for one in found]), tolerances.chances)
    areas = _column([one.area for one in found])
    labels = np.array([one.label for one in found], np.int64)
    sheet.equal("inst_classes", labels, unordered=areas == 0)  # empty ones all score 0
    sheet.compare("inst_area", areas, tolerances.areas)
    (name,) = (name for name in sheet.golden.names if _BEST.fullmatch(name))
    best = found[: int(name.removeprefix("inst_masks_top"))]
    drawn = [rle.decode(one.mask) for one in best]
    none = np.zeros((0, *masks.shape[1:]), np.bool_)
    sheet.pixels(name, np.stack(drawn) if drawn else none, tolerances.pixels)


def _column(values: list[Any]) -> NDArray[np.float64]:
    return np.array(values, np.float64)
