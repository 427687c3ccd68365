from __future__ import annotations

import pytest
from label_studio_words import BITMASK, BRUSH, config

from seem_client.adapters.label_studio.label_config import ConfigUnsuitable, read


def test_the_picture_and_the_control_for_its_masks_are_found():
    found = read(config(BRUSH))
    assert (found.picture, found.field, found.control, found.kind) == (
        "image", "photo", "tag", "brushlabels"
    )  # fmt: skip
    assert found.labels == ("cat", "dog")
    assert not found.is_video
    assert not found.is_bitmask


def test_bitmasks_are_used_where_there_are_no_brushes():
    assert read(config(BITMASK)).is_bitmask
    assert read(config(BITMASK + BRUSH)).kind == "brushlabels"


def test_a_control_of_another_picture_is_none_of_this_one():
    with pytest.raises(ConfigUnsuitable):
        read(config(BRUSH.replace("image", "other")))


def test_tags_may_be_of_any_case_and_without_labels():
    found = read('<View><image name="i" value="$u"/><BRUSH name="b" toName="i"/></View>')
    assert (found.kind, found.labels, found.label_for("cat")) == ("brush", (), None)


def test_a_region_gets_the_label_of_the_tool_where_there_is_one():
    found = read(config(BRUSH))
    assert [found.label_for(wanted) for wanted in ("dog", "cow", None)] == ["dog", "cat", "cat"]


def test_a_video_is_one():
    xml = '<View><Video name="v" value="$film"/><VideoRectangle name="b" toName="v"/></View>'
    assert read(xml).is_video


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<View>",
        "<View></View>",
        '<View><Image name="i" value="fixed"/><Brush name="b" toName="i"/></View>',
        '<!DOCTYPE v [<!ENTITY a "aa">]><View>&a;</View>',
    ],
)
def test_what_cannot_be_served_is_told_with_what_to_add(xml):
    with pytest.raises(ConfigUnsuitable) as told:
        read(xml)
    assert "BrushLabels" in told.value.hint
