"""Visual prompts of the v0 and v1 wirings: points, scribbles, boxes, masks; memory; many objects.

n objects · q query rows of an object (101 in v0, 3 drawn ones in v1) · C = 512
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from seem_model.evaluate.parity.draws import RecordedDraws, as_points, belong
from seem_model.evaluate.parity.finals import shown_straight
from seem_model.evaluate.parity.queries import MARKS, OBJECTS, Group, check_group
from seem_model.published import BY_MARKS
from seem_model.variants import Wiring

if TYPE_CHECKING:
    from torch import Tensor

    from seem_model.evaluate.parity.draws import Pixels
    from seem_model.evaluate.parity.setting import Setting
    from seem_model.evaluate.parity.sheet import Sheet
    from seem_model.evaluate.parity.subject import Decoded
    from seem_model.published import QueryFeatures, QueryPrompts

POSITIVE, NEGATIVE = 0, 1
"""Places of the two signs in `QueryAnswers.pooled`."""


def check_clicks(sheet: Sheet, setting: Setting) -> None:
    """One round on the target picture: all that a file of the "spatial" task recorded."""
    features = setting.features()
    decoded = setting.decode(features, click_prompts(sheet, setting, features))
    check_unprompted(sheet, setting, batch_of(sheet))
    check_marks(sheet, setting, features, decoded)
    check_choice(sheet, setting, decoded)


def click_prompts(sheet: Sheet, setting: Setting, features: QueryFeatures) -> QueryPrompts:
    """The recorded prompts of all objects, as one run takes them."""
    draws = RecordedDraws(sheet)
    golden, dtype = sheet.golden, setting.subject.dtype
    n_objects = int(golden["mask_shape"][0])
    objects = [draws.of(number) for number in range(n_objects)]
    _check_prompt_masks(sheet, objects, shared=draws.by_object)
    points, labels = as_points(objects, dtype)
    prompts = setting.nothing(features, n_objects)._replace(
        points=points, labels=labels, selector=torch.full((1, n_objects), BY_MARKS)
    )
    if "query_idx" in golden:
        rows = torch.from_numpy(golden["query_idx"]).reshape(1, n_objects, -1)
        prompts = prompts._replace(query_rows=rows)
        sheet.given("query_idx")
    if "prev_mask_in" in golden:
        prompts = _with_memory(prompts, sheet, setting)
    return prompts


def check_unprompted(sheet: Sheet, setting: Setting, batch: int) -> None:
    """The object queries, which see no prompt in v0 and v1."""
    group = Group.of(setting.everything(), 1).repeated(batch)
    check_group(sheet, setting, setting.features(), group, OBJECTS)


def check_marks(sheet: Sheet, setting: Setting, features: QueryFeatures, decoded: Decoded) -> None:
    """The spatial-queries and the pooled vectors."""
    batch = batch_of(sheet)
    group = Group.of(decoded, batch)
    auxiliary = [name for name in sheet.golden.names if name.startswith("aux_pred_smasks")]
    if batch > 1 and group.heads:  # recorded of the batch's first element alone
        heads = [type(head)(*(x[:1] for x in head)) for head in group.heads]
        group = Group(group.last, heads)
    if not group.heads:
        sheet.hidden(*auxiliary)
    check_group(sheet, setting, features, group, MARKS)
    check_pooled(sheet, setting, decoded.answers.pooled, batch)


def check_pooled(sheet: Sheet, setting: Setting, pooled: Tensor, batch: int) -> None:
    """The mask features under the prompts: pooled (1, n, 2, C)."""
    for name, sign in (("pred_pspatials", POSITIVE), ("pred_nspatials", NEGATIVE)):
        ours = pooled[:, :, sign].reshape(batch, -1, pooled.shape[-1])
        sheet.compare(name, ours.numpy(), setting.tolerances.vectors)


def check_choice(sheet: Sheet, setting: Setting, decoded: Decoded) -> None:
    """Which query answers each object, its mask, and the mask that a user gets."""
    answers, limits = decoded.answers, setting.tolerances
    batch, n_objects = batch_of(sheet), answers.match.shape[1]
    if setting.subject.model.variant.wiring is Wiring.V1:  # each query against each object
        match = answers.embeddings[0].flatten(0, 1) @ answers.pooled[0, :, POSITIVE].T
        own = torch.arange(n_objects)
        match.unflatten(0, (n_objects, -1))[own, :, own] = answers.match[0]
        sheet.compare("match_logits", match[None].numpy(), limits.logits)
    else:
        sheet.compare("match_logits", answers.match[0].numpy(), limits.logits)
    chosen = answers.mask_logits.unflatten(1, (batch, -1))[0]
    sheet.compare("prev_mask_out", chosen.numpy(), limits.masks)
    sheet.aside(["final_shape"], "shape of the final masks")
    final = shown_straight(answers.mask_logits[0].numpy(), setting.sizes()) > 0
    final = final.reshape(*chosen.shape[:2], *final.shape[-2:])
    sheet.pixels("final_mask_bits", final, limits.pixels)


def batch_of(sheet: Sheet) -> int:
    """Images in the recorded batch: v0 has one for each object."""
    return int(sheet.golden.recorded("pred_pspatials").shape[0])


def _with_memory(prompts: QueryPrompts, sheet: Sheet, setting: Setting) -> QueryPrompts:
    previous = setting.tensor(sheet.golden["prev_mask_in"])
    n_objects = prompts.selector.shape[1]
    sizes = setting.subject.model.variant.sizes
    slots = (sizes.decoder_layers, sizes.memory_tokens)
    sheet.given("prev_mask_in")
    if "memory_idx_per_layer" in sheet.golden:
        drawn = torch.from_numpy(sheet.golden["memory_idx_per_layer"])
        owners = drawn.expand(1, n_objects, *slots)
        sheet.given("memory_idx_per_layer")
    else:  # v0: each object has a run, and with it all memory, to itself
        owners = torch.arange(n_objects)[None, :, None, None].expand(1, n_objects, *slots)
    return prompts._replace(
        previous_mask=previous.reshape(1, n_objects, *previous.shape[-2:]), memory_owners=owners
    )


def _check_prompt_masks(sheet: Sheet, objects: list[list[Pixels]], *, shared: bool) -> None:
    golden = sheet.golden
    width = int(golden["mask_shape"][2])
    names = [name for name in ("pos_mask_bits", "neg_mask_bits") if name in golden]
    positive = golden.bits("pos_mask_bits", width)
    negative = golden.bits("neg_mask_bits", width) if len(names) > 1 else positive & False
    masks = [{1: p, 0: n} for p, n in zip(positive, negative, strict=True)]
    sheet.given(*names, ok=belong(objects, masks, shared=shared))
    sheet.aside(["mask_shape"], "shape of the prompt's masks")
