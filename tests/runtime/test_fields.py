from __future__ import annotations

import json
from contextlib import suppress
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seem_server.runtime.fields import Fields
from seem_wire.errors import BundleInvalid

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


READERS = {
    "within": lambda fields: fields.within("key"),
    "text": lambda fields: fields.text("key"),
    "whole": lambda fields: fields.whole("key", 0, 10),
    "number": lambda fields: fields.number("key", -100, 100),
    "numbers": lambda fields: fields.numbers("key", 3, -100, 100),
    "wholes": lambda fields: fields.wholes("key", 0, 10),
    "pairs": lambda fields: fields.pairs("key", 1, 10),
    "flag": lambda fields: fields.flag("key"),
    "choice": lambda fields: fields.choice("key", Colour),
    "within_or_null": lambda fields: fields.within_or_null("key"),
    "texts": lambda fields: fields.texts("key"),
    "objects": lambda fields: fields.objects("key"),
}


def of(value):
    return Fields({"key": value}, "file.json")


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", "a"),
        ("whole", 10),
        ("number", 2.5),
        ("number", 3),
        ("texts", ("a", "b")),
        ("wholes", (0, 10)),
        ("pairs", ((1, 2), (3, 10))),
        ("flag", False),
        ("choice", Colour.GREEN),
        ("within_or_null", None),
    ],
)
def test_a_value_of_the_wanted_kind_is_given(reader, value):
    stored = json.loads(json.dumps(value))
    assert READERS[reader](of(stored)) == value


def test_a_number_that_may_be_missing_is_checked_where_it_is_there():
    assert of(None).number_or_none("key", 0, 1) is None
    assert of(0.5).number_or_none("other", 0, 1) is None
    assert of(0.5).number_or_none("key", 0, 1) == 0.5
    with pytest.raises(BundleInvalid):
        of(2).number_or_none("key", 0, 1)


def test_numbers_come_as_floats():
    assert of([1, 2.5, -3]).numbers("key", 3, -100, 100) == (1.0, 2.5, -3.0)


def test_objects_nest_and_messages_tell_where():
    fields = Fields({"outer": {"inner": [{"name": 3}]}}, "file.json")
    with pytest.raises(BundleInvalid, match=r"file\.json: outer: inner: name should be a text"):
        fields.within("outer").objects("inner")[0].text("name")


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", ""),
        ("text", 3),
        ("whole", 11),
        ("whole", -1),
        ("whole", True),
        ("whole", 1.0),
        ("number", "1"),
        ("number", True),
        ("number", float("nan")),
        ("number", 10**400),
        ("number", 101),
        ("numbers", [1, 2]),
        ("numbers", [1, 2, 101]),
        ("wholes", [1, 11]),
        ("wholes", [True]),
        ("pairs", [[1, 2, 3]]),
        ("pairs", [[1, 0]]),
        ("pairs", [3]),
        ("flag", 1),
        ("choice", "blue"),
        ("choice", ["red"]),
        ("within_or_null", []),
        ("numbers", [1, 2, "3"]),
        ("texts", ["a", ""]),
        ("texts", "abc"),
        ("objects", [{}, 3]),
        ("within", []),
    ],
)
def test_any_other_value_is_refused_with_what_was_expected(reader, value):
    with pytest.raises(BundleInvalid, match=r"file\.json: key should be .* and is|\d numbers"):
        READERS[reader](of(value))


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_value_is_said_to_be_missing(reader):
    with pytest.raises(BundleInvalid, match="is missing"):
        READERS[reader](Fields({}, "file.json"))


def test_an_empty_text_is_fine_where_it_may_be_empty():
    assert of("").text("key", may_be_empty=True) == ""


def test_a_long_wrong_value_is_quoted_in_part():
    with pytest.raises(BundleInvalid) as refusal:
        of("x" * 10_000).number("key", 0, 1)
    assert len(refusal.value.message) < 200


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 5000,
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
    ],
)
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(BundleInvalid):
        Fields.of_text(text, "file.json")


@given(value=JSON, reader=st.sampled_from(sorted(READERS)))
def test_whatever_stands_there_gives_a_value_or_bundle_invalid(value, reader):
    with suppress(BundleInvalid):
        fields = Fields.of_text(json.dumps({"key": value}).encode(), "file.json")
        READERS[reader](fields)
