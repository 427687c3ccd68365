"""The tokenizer, the text encoder and the class vocabulary. Equal in all variants.

n texts · T tokens of the longest, padding included · C = 512
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from seem_model.clip_tokenizer import MAX_TOKENS, ClipTokenizer
from seem_model.vocabularies import BACKGROUND, COCO_PANOPTIC, TEMPLATES, spoken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from seem_model.evaluate.parity.setting import Setting
    from seem_model.evaluate.parity.sheet import Sheet
    from seem_model.evaluate.parity.subject import Subject

_FIRST = 12
_EPS = 1e-7
_BATCH = 64
_NAMES = (*COCO_PANOPTIC, BACKGROUND)


class Tokens(NamedTuple):
    """Padded as the published program pads: with the id that ends a text. (n, T) int64 each."""

    ids: Tensor
    mask: Tensor

    @property
    def last(self) -> Tensor:
        """Where each text ends: (n,)."""
        return self.mask.sum(1) - 1


class Words(NamedTuple):
    """What the decoder is given of some texts.

    ids: (n, 77). tokens: (1, 1, T, C), the real ones of all texts. sentences: (n, C).
    """

    ids: NDArray[np.int64]
    tokens: Tensor
    sentences: Tensor


def encode_words(subject: Subject, texts: Sequence[str]) -> Words:
    """The real tokens of `texts` one after another, and each text's meaning."""
    tokens = tokenize(texts)
    longest = int(tokens.mask.sum(1).max())
    ids, mask = tokens.ids[:, :longest], tokens.mask[:, :longest]
    states = subject.states(ids, mask)
    sentences = states[torch.arange(len(ids)), tokens.last]
    return Words(tokens.ids.numpy(), states[mask.bool()][None, None], sentences)


def tokenize(texts: Sequence[str]) -> Tokens:
    """Ids and mask, padded to the longest text that the model takes."""
    rows = _tokenizer().encode(list(texts))
    ids = torch.full((len(rows), MAX_TOKENS), rows[0][-1], dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    return Tokens(ids, mask)


def check_texts(sheet: Sheet, setting: Setting) -> None:
    """Everything recorded of texts."""
    golden, subject, limit = sheet.golden, setting.subject, setting.tolerances.vectors
    sheet.given("texts", "long_text", "templated_names")
    tokens = tokenize(golden["texts"].tolist())
    sheet.equal("input_ids", tokens.ids.numpy())
    sheet.equal("attention_mask", tokens.mask.numpy())
    sheet.equal("long_ids", tokenize(golden["long_text"].tolist()).ids.numpy())
    states = subject.states(tokens.ids, torch.ones_like(tokens.mask))  # padding was recorded too
    sheet.compare("token_emb_first12", states[:, :_FIRST].numpy(), limit)
    sentences = states[torch.arange(len(states)), tokens.last]
    sheet.compare("class_emb", sentences.numpy(), limit)
    if setting.shows_inside:
        with torch.inference_mode():
            hidden = subject.model.language.lang_encoder(tokens.ids)
        sheet.compare("last_hidden_state", hidden.numpy(), limit)
    else:
        sheet.hidden("last_hidden_state")
    _check_vocabulary(sheet, setting)


def _check_vocabulary(sheet: Sheet, setting: Setting) -> None:
    """Class names as unit vectors: bare, centred as the recorded runs have them, and templated."""
    subject, limit = setting.subject, setting.tolerances.vectors
    sheet.equal("class_names", np.array(_NAMES))
    bare = meanings(subject, [[name] for name in _NAMES])
    sheet.compare("default_text_embeddings_noprompt", bare.numpy(), limit)
    centred = _unit(bare - bare.mean(0))
    sheet.compare("default_text_embeddings_centered", centred.numpy(), limit)
    names = [spoken(name) for name in sheet.golden["templated_names"].tolist()]
    templated = meanings(subject, [[one.format(name) for one in TEMPLATES] for name in names])
    sheet.compare("templated_text_embeddings", templated.numpy(), limit)


def meanings(subject: Subject, ways: Sequence[Sequence[str]]) -> Tensor:
    """Unit rows (n, C): the mean of the unit sentences of each thing's `ways` to be said."""
    texts = [text for one in ways for text in one]
    parts = [
        encode_words(subject, texts[start : start + _BATCH]).sentences
        for start in range(0, len(texts), _BATCH)
    ]
    return _unit(_unit(torch.cat(parts)).unflatten(0, (len(ways), -1)).mean(1))


def _unit(x: Tensor) -> Tensor:
    return x / (x.norm(dim=-1, keepdim=True) + _EPS)


@cache
def _tokenizer() -> ClipTokenizer:
    return ClipTokenizer()
