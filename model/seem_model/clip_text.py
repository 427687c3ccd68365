"""The text encoder of the published models: the causal transformer of CLIP, and its projection.

Token ids come from `seem_model.clip_tokenizer`. A state depends on the ids before it alone, so
texts need no padding mask and may be cut at their last real token: the states stay the same.

Source: CLIP (Radford et al. 2021), section 2.4; UniCL (Yang et al. 2022), whose names these are.

B texts · T tokens · E width of the transformer · C joint space
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seem_model.attention import MultiheadAttention

EPSILON = 1e-12
"""Of the layer norms; the rest of the model has 1e-5."""


@dataclass(frozen=True, slots=True)
class LanguageSize:
    """Sizes of a text encoder; the published one unless said otherwise.

    `context`: tokens of the longest text. The last of the `n_ids` ids ends a text.
    """

    n_ids: int = 49408
    context: int = 77
    width: int = 512
    depth: int = 12
    heads: int = 8
    joint_width: int = 512


PUBLISHED = LanguageSize()


class LanguageEncoder(nn.Module):
    """Token ids to states in the joint space, where class names and texts are compared."""

    def __init__(self, size: LanguageSize = PUBLISHED) -> None:
        super().__init__()
        self.size = size
        self.lang_encoder = CausalTransformer(size)
        self.lang_proj = nn.Parameter(torch.randn(size.width, size.joint_width) * size.width**-0.5)
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def forward(self, ids: Tensor) -> Tensor:
        """Same as `states`."""
        return self.states(ids)

    def states(self, ids: Tensor) -> Tensor:
        """Token states (B, T, C) of ids (B, T) int64; T must not pass the context."""
        hidden: Tensor = self.lang_encoder(ids)
        return hidden @ self.lang_proj

    def sentence(self, ids: Tensor) -> Tensor:
        """Sentences (B, C), not normalised: each text's state at its first end.

        Each row of ids (B, T) int64 must have an end; what follows the first plays no part.
        """
        end = (ids != self.size.n_ids - 1).long().cumprod(1).sum(1)  # ids before the first end
        hidden: Tensor = self.lang_encoder(ids)  # (B, T, E)
        return hidden[torch.arange(len(ids), device=ids.device), end] @ self.lang_proj


class CausalTransformer(nn.Module):
    """Pre-norm transformer in which a token sees those before it, and itself."""

    def __init__(self, size: LanguageSize) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(size.n_ids, size.width)
        self.positional_embedding = nn.Parameter(torch.randn(size.context, size.width) * 0.01)
        self.resblocks = nn.ModuleList(
            ResidualBlock(size.width, size.heads) for _ in range(size.depth)
        )
        self.ln_final = nn.LayerNorm(size.width, eps=EPSILON)

    def forward(self, ids: Tensor) -> Tensor:
        """Hidden states (B, T, E) of ids (B, T) int64."""
        n_tokens = ids.shape[1]
        x = self.token_embedding(ids) + self.positional_embedding[:n_tokens]
        place = torch.arange(n_tokens, device=ids.device)
        visible = place <= place.unsqueeze(1)  # (T, T): row sees column
        for block in self.resblocks:
            x = block(x, visible)
        y: Tensor = self.ln_final(x)
        return y


class ResidualBlock(nn.Module):
    """Attention, then a network of two layers, each added to what it was given normed."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = MultiheadAttention(width, heads)
        self.ln_1 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, 4 * width),
                gelu=QuickGELU(),
                c_proj=nn.Linear(4 * width, width),
            )
        )
        self.ln_2 = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """(B, T, E) to (B, T, E); `visible` (T, T) is true where a row sees a column."""
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, visible)
        y: Tensor = x + self.mlp(self.ln_2(x))
        return y


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), CLIP's approximation of GELU."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, kept."""
        return x * torch.sigmoid(1.702 * x)
