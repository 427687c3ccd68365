"""Image backbones: each maps (B, 3, H, W) to feature maps at strides 4, 8, 16 and 32."""

from seem_model.backbones.efficientnet_lite import EfficientNetLite

__all__ = ["EfficientNetLite"]
