"""What a group of queries says, against what was recorded of it: masks, embeddings, class logits.

The program answers with three groups of queries, each recorded under names of its own; a name may
tell that only every so many queries or pixels were kept.

B images or objects, as recorded · q query rows · C = 512 · h4, w4 rows and columns of a mask
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from seem_model.evaluate.parity.setting import Setting
    from seem_model.evaluate.parity.sheet import Sheet
    from seem_model.evaluate.parity.subject import Decoded
    from seem_model.published import QueryFeatures

_NAME = re.compile(r"(?P<aux>aux_)?(?P<base>pred_[a-z]+)(_q(?P<queries>\d+))?(_s(?P<pixels>\d+))?")


@dataclass(frozen=True, slots=True)
class GroupNames:
    """The recorded names of one group. `step`: of queries, where a mask is thinned."""

    masks: str
    embeddings: str
    captions: str
    logits: str = ""
    step: int = 1


OBJECTS = GroupNames("pred_masks", "pred_maskembs", "pred_captions", "pred_logits", step=4)
TEXTS = GroupNames("pred_gmasks", "", "pred_gtexts")
MARKS = GroupNames("pred_smasks", "pred_smaskembs", "pred_stexts")


class Said(NamedTuple):
    """Embeddings and captions of a group, (B, q, C) each."""

    embeddings: Tensor
    captions: Tensor


@dataclass(frozen=True, slots=True)
class Group:
    """What a group said at the end, and before each layer; no `heads` if those can't be seen."""

    last: Said
    heads: list[Said]

    @classmethod
    def of(cls, decoded: Decoded, batch: int) -> Group:
        """All rows of a run, n objects of q rows, as a recording of `batch` images has them.

        A batch of 1 has the objects' rows one after another, a larger one an object each.
        """

        def arrange(x: Tensor) -> Tensor:
            return x.reshape(batch, -1, x.shape[-1])

        answers = decoded.answers
        last = Said(arrange(answers.embeddings), arrange(answers.captions))
        heads = [Said(arrange(h.embeddings), arrange(h.captions)) for h in decoded.heads]
        return cls(last, heads[:-1])

    def repeated(self, batch: int) -> Group:
        """The same for each image of a batch."""

        def repeat(said: Said) -> Said:
            return Said(*(x.expand(batch, -1, -1) for x in said))

        return Group(repeat(self.last), [repeat(head) for head in self.heads])


def check_group(
    sheet: Sheet, setting: Setting, features: QueryFeatures, group: Group, names: GroupNames
) -> None:
    """Compares every recorded array of the group."""
    checks = _GroupChecks(sheet, setting, features, group, names)
    for name in sheet.golden.names:
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        wanted = _Wanted(
            name,
            bool(match["aux"]),
            int(match["queries"] or 0),
            int(match["pixels"] or 0),
        )
        checks.check(match["base"], wanted)


def is_of(names: GroupNames, name: str) -> bool:
    """Whether an array was recorded of that group."""
    match = _NAME.fullmatch(name)
    bases = {names.masks, names.embeddings, names.captions, names.logits} - {""}
    return match is not None and match["base"] in bases


class _Wanted(NamedTuple):
    name: str
    auxiliary: bool
    queries: int
    pixels: int


@dataclass(frozen=True, slots=True)
class _GroupChecks:
    sheet: Sheet
    setting: Setting
    features: QueryFeatures
    group: Group
    names: GroupNames

    def check(self, base: str, wanted: _Wanted) -> None:
        names, limits = self.names, self.setting.tolerances
        known = {names.masks, names.embeddings, names.captions, names.logits} - {""}
        if base not in known:
            return
        if wanted.auxiliary and not self.group.heads:
            self.sheet.hidden(wanted.name)
            return
        limit = limits.masks if base == names.masks else limits.logits
        values = [self._value(base, said, wanted) for said in self._said(wanted)]
        whole = torch.stack([value[0] for value in values]) if wanted.auxiliary else values[0]
        self.sheet.compare(wanted.name, whole.numpy(), limit)

    def _said(self, wanted: _Wanted) -> list[Said]:
        return self.group.heads if wanted.auxiliary else [self.group.last]

    def _value(self, base: str, said: Said, wanted: _Wanted) -> Tensor:
        """What a name stands for: (B, q, …)."""
        if base == self.names.masks:
            return self._masks(said, wanted)
        if base == self.names.logits:
            logits = self.setting.class_logits(said.captions)
            return logits[:, : wanted.queries] if wanted.queries else logits
        rows = said.embeddings if base == self.names.embeddings else said.captions
        return rows[:, :: wanted.queries or 1]

    def _masks(self, said: Said, wanted: _Wanted) -> Tensor:
        """(B, q, h4, w4), thinned before the product: the features hold most of the memory."""
        pixels = wanted.pixels or 1
        step = wanted.queries or (self.names.step if wanted.pixels else 1)
        rows = said.embeddings[:, ::step]
        thinned = self.features.mask_features[:, :, ::pixels, ::pixels]
        flat = rows.reshape(1, -1, rows.shape[-1])
        masks = self.setting.subject.masks(self.features._replace(mask_features=thinned), flat)
        return masks.reshape(*rows.shape[:2], *masks.shape[-2:])
