"""What a project's labelling config has for Seem: where the picture is, and what draws masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# The tag that draws masks on each kind of picture: the first that a config has is used.
_MASKS = {
    "image": ("brushlabels", "brush", "bitmasklabels", "bitmask"),
    "video": ("videorectangle", "videovectorlabels"),
}


class ConfigUnsuitable(InvalidValue):
    """The labelling config has no picture, or nothing that draws masks on it."""

    hint = (
        "In Settings > Labeling Interface add <BrushLabels> or <BitmaskLabels> for the image "
        "(or <VideoRectangle> for the video)."
    )


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """A picture, and the control whose regions the predictions are.

    `picture` is the picture's name, and `field` where a task has its address. `control` is the
    control's name and `kind` its tag, in lower case. `labels` are the control's.
    """

    picture: str
    field: str
    is_video: bool
    control: str
    kind: str
    labels: tuple[str, ...]

    @property
    def is_bitmask(self) -> bool:
        """Whether masks are bitmasks, and not brushes."""
        return self.kind.startswith("bitmask")

    def label_for(self, wanted: str | None) -> str | None:
        """The label to give a region for which another tool had `wanted`; None for none at all."""
        if wanted in self.labels:
            return wanted
        return self.labels[0] if self.labels else None


def read(xml: str) -> LabelConfig:
    """What a labelling config offers.

    Raises:
        ConfigUnsuitable: It offers nothing that Seem can serve, or is no XML.
    """
    root = _parsed(xml)
    for kind, masks in _MASKS.items():
        for picture in root.iter():
            if _tag(picture) == kind and picture.get("value", "").startswith("$"):
                control = _control(root, picture.get("name", ""), masks)
                if control is not None:
                    return _read(picture, control, is_video=kind == "video")
    raise ConfigUnsuitable("The project's labeling config has nothing that Seem can draw masks in.")


def _read(picture: Element, control: Element, *, is_video: bool) -> LabelConfig:
    labels = tuple(one.get("value", "") for one in control.iter() if _tag(one) == "label")
    return LabelConfig(
        picture=picture.get("name", ""),
        field=picture.get("value", "")[1:],
        is_video=is_video,
        control=control.get("name", ""),
        kind=_tag(control),
        labels=labels,
    )


def _control(root: Element, picture: str, masks: tuple[str, ...]) -> Element | None:
    found = [one for one in root.iter() if one.get("toName") == picture and _tag(one) in masks]
    return min(found, key=lambda one: masks.index(_tag(one)), default=None)


def _tag(element: Element) -> str:
    # Label Studio takes tags in any case.
    return element.tag.lower()


def _parsed(xml: str) -> Element:
    if "<!DOCTYPE" in xml.upper() or "<!ENTITY" in xml.upper():
        raise ConfigUnsuitable("A labeling config declares no document type.")
    try:
        return ET.fromstring(xml)  # noqa: S314 - no entity is declared, so that none can grow
    except ET.ParseError as error:
        raise ConfigUnsuitable(f"The project's labeling config is no XML: {error}.") from error
