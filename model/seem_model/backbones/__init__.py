"""Image backbones: each maps (B, 3, H, W) to feature maps at strides 4, 8, 16 and 32."""

from seem_model.backbones.davit import DaViT
from seem_model.backbones.efficientnet_lite import EfficientNetLite
from seem_model.backbones.focalnet import FocalNet
from seem_model.backbones.sam_vit import SamViT

__all__ = ["DaViT", "EfficientNetLite", "FocalNet", "SamViT"]
