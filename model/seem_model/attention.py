"""Multi-head attention that traces: batched over any leading dimensions, masks added up front.

L rows · S keys · C width · h heads
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCKED = -1e9
"""Added to a logit that must not be attended. Finite, so that no row becomes NaN."""


class MultiheadAttention(nn.Module):
    """Scaled dot-product attention with torch's parameter names and layout."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            message = f"width ({width}) must be divisible by heads ({heads})"
            raise ValueError(message)
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None = None
    ) -> Tensor:
        """(..., L, C) rows attend (..., S, C) keys where `visible` (..., L, S) is true.

        A row that may attend nothing gets the output bias alone.
        """
        q, k, v = self._projections()
        q_rows = self._split(functional.linear(queries, *q))  # (..., h, L, C / h)
        k_rows = self._split(functional.linear(keys, *k))
        v_rows = self._split(functional.linear(values, *v))
        logits = q_rows @ k_rows.transpose(-1, -2) / math.sqrt(q_rows.shape[-1])
        if visible is None:
            mixed = logits.softmax(-1) @ v_rows
        else:
            shown = visible.unsqueeze(-3)
            logits = torch.where(shown, logits, torch.full_like(logits, BLOCKED))
            mixed = logits.softmax(-1) @ v_rows * shown.any(-1, keepdim=True)
        y: Tensor = self.out_proj(mixed.transpose(-2, -3).flatten(-2))
        return y

    def attend_map(
        self, queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor, *, folded: bool = True
    ) -> Tensor:
        """Rows of n objects attend a long map that they share.

        queries: (B, n, L, C); keys, values: (B, S, C); visible: (B, n, L, S). `folded`: the map's
        projections are applied to the rows instead, because q . (W k) = (Wt q) . k; that saves most
        of the work while n L times the heads is below C. The key bias then shifts a row's logits
        evenly and drops out.
        """
        if not folded:
            return self.forward(queries, keys.unsqueeze(1), values.unsqueeze(1), visible)
        (q_weight, q_bias), (k_weight, _), (v_weight, v_bias) = self._projections()
        batch, objects, rows, width = queries.shape
        q_rows = functional.linear(queries, q_weight, q_bias)
        q_rows = q_rows.reshape(batch, objects, rows, self.heads, -1)
        k_heads = k_weight.reshape(self.heads, -1, width)
        through_keys = torch.einsum("bnlhd,hdc->bnlhc", q_rows, k_heads) / math.sqrt(
            q_rows.shape[-1]
        )
        logits = through_keys.flatten(1, 3) @ keys.transpose(1, 2)  # (B, n L h, S)
        logits = logits.reshape(batch, objects, rows, self.heads, -1)
        shown = visible.unsqueeze(3)
        logits = torch.where(shown, logits, torch.full_like(logits, BLOCKED))
        weights = logits.softmax(-1).flatten(1, 3)
        mixed = (weights @ values).reshape(batch, objects, rows, self.heads, width)
        v_heads = v_weight.reshape(self.heads, -1, width)
        heads = torch.einsum("bnlhc,hdc->bnlhd", mixed, v_heads).flatten(3) + v_bias
        y: Tensor = self.out_proj(heads)
        return y

    def _projections(self) -> tuple[tuple[Tensor, Tensor], ...]:
        weights = self.in_proj_weight.chunk(3)
        biases = self.in_proj_bias.chunk(3)
        return tuple(zip(weights, biases, strict=True))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)
