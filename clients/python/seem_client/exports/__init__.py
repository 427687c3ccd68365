"""Predictions in other programs' words: COCO, supervision and FiftyOne.

Functions of predictions that give what those programs take; what they need beyond the SDK is
imported when they are called.
"""

from seem_client.exports.coco import Annotated, coco_instances, coco_video
from seem_client.exports.fiftyone import to_fiftyone
from seem_client.exports.supervision import to_supervision

__all__ = ["Annotated", "coco_instances", "coco_video", "to_fiftyone", "to_supervision"]
