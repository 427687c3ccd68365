"""Convolutions for maps that travel channels-last, as norms and linear layers want them.

B batch · h, w a map's rows and columns · s stride
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Convolution(nn.Conv2d):
    """(B, h, w, inputs) to (B, h / s, w / s, outputs); h and w must be multiples of s.

    padding: zeros at the top and left. At the bottom and right stand as many as the last window
    needs, so that sizes divide without a remainder: exporting stays quick with symbolic sizes.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
    ) -> None:
        after = kernel - stride - padding
        even = after == padding
        super().__init__(inputs, outputs, kernel, stride, padding if even else 0, groups=groups)
        self.uneven = None if even else (padding, after) * 2

    def forward(self, x: Tensor) -> Tensor:
        """A permuted view goes in and comes out: in PyTorch nothing is copied for the layout."""
        x = x.permute(0, 3, 1, 2)
        if self.uneven is not None:
            x = functional.pad(x, self.uneven)
        return super().forward(x).permute(0, 2, 3, 1)
