from __future__ import annotations

import numpy as np
import pytest
from found import found

from seem_client.exports.naming import name_of, numbered
from seem_wire.errors import InvalidValue

MASK = np.ones((2, 2), np.bool_)
THREE = [found(MASK, 1, "cat"), found(MASK, 2), found(MASK, 3, "cat")]


def test_what_has_no_name_is_an_object():
    assert [name_of(one) for one in THREE] == ["cat", "object", "cat"]


def test_names_are_numbered_in_the_order_in_which_they_come():
    assert numbered(THREE, None, 1) == {"cat": 1, "object": 2}


def test_names_that_are_given_keep_their_numbers():
    assert numbered(THREE, ["object", "dog", "cat"], 0) == {"object": 0, "dog": 1, "cat": 2}


def test_a_name_without_a_class_is_refused():
    with pytest.raises(InvalidValue, match="no class for object"):
        numbered(THREE, ["cat"], 0)


@pytest.mark.parametrize("names", ["cat", ["cat", "object", "cat"]])
def test_names_that_would_number_something_else_are_refused(names):
    with pytest.raises(InvalidValue, match=r"in a list|twice"):
        numbered(THREE, names, 1)
