"""What an ImageNet classifier sees at every place of a crop: words for things no mask names.

The classifier is the one that the backbone's starting weights come from (EfficientNet-Lite, Liu et
al. 2020), applied at every cell of stride 32 in place of the whole image, as in fully convolutional
networks (Long et al. 2015, section 3.1).

B crops · K classes · C joint space · h, w cells of stride 32
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seem_model.backbones import EfficientNetLite

if TYPE_CHECKING:
    from seem_model.config import BackboneConfig

N_CLASSES = 1000
HEAD_CHANNELS = 1280
TEMPERATURE = 1.5
"""Of the classifier, which was trained to be surer of whole images than one may be of cells."""

LEAST_SURE = 0.25
"""Cells whose best class is less probable teach nothing."""


class Teacher(nn.Module):
    """The classifier, frozen."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.backbone = EfficientNetLite(width=config.width, depth=config.depth)
        head = self.backbone.load_imagenet(config.imagenet_weights)
        self.convolution = nn.Conv2d(self.backbone.channels[-1], HEAD_CHANNELS, 1, bias=False)
        self.norm = nn.BatchNorm2d(HEAD_CHANNELS, eps=1e-3)
        self.classify = nn.Linear(HEAD_CHANNELS, N_CLASSES)
        self.convolution.load_state_dict(_part(head, "_conv_head"))
        self.norm.load_state_dict(_part(head, "_bn1"))
        self.classify.load_state_dict(_part(head, "_fc"))
        self.requires_grad_(requires_grad=False)
        self.eval()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """Class probabilities (B, h, w, K) of (B, 3, H, W), each cell with its neighbours."""
        x = functional.relu6(self.norm(self.convolution(self.backbone(image)[-1])))
        x = functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        logits = self.classify(x.permute(0, 2, 3, 1)).float()
        return (logits / TEMPERATURE).softmax(-1)


class Lessons(NamedTuple):
    """A classifier, and the names of its classes as sentences (K, E) of unit length."""

    teacher: Teacher
    sentences: Tensor


def distillation_loss(meanings: Tensor, taught: Tensor, names: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of what places mean against what the teacher sees there.

    meanings: (B, C, h8, w8), unit length; taught: (B, h, w, K); names: (K, C), unit length.
    """
    at_32 = functional.normalize(functional.avg_pool2d(meanings.float(), 4), dim=1, eps=1e-6)
    logits = scale * at_32.permute(0, 2, 3, 1) @ names.T  # (B, h, w, K)
    sure = taught.amax(-1)
    weight = torch.where(sure > LEAST_SURE, sure, 0.0)
    each = -(taught * logits.log_softmax(-1)).sum(-1)
    loss: Tensor = (each * weight).sum() / weight.sum().clamp(min=1.0)
    return loss


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name[len(start) :]: value for name, value in state.items() if name.startswith(start)}
