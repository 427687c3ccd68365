from __future__ import annotations

import pickle
import re

import pytest

from seem_wire import errors

GRPC_NAMES = {
    "INVALID_ARGUMENT",
    "OUT_OF_RANGE",
    "FAILED_PRECONDITION",
    "NOT_FOUND",
    "UNIMPLEMENTED",
    "ABORTED",
    "CANCELLED",
    "RESOURCE_EXHAUSTED",
    "DEADLINE_EXCEEDED",
    "UNAVAILABLE",
    "UNAUTHENTICATED",
    "INTERNAL",
}


def descendants(parent):
    for child in parent.__subclasses__():
        yield child
        yield from descendants(child)


ALL = [error for error in descendants(errors.SeemError) if error.__module__ == errors.__name__]
WITH_OWN_CODE = [error for error in ALL if "code" in vars(error)]
LEAVES = [error for error in ALL if not error.__subclasses__()]
GROUPS = {"CALLER_ERROR", "CAPACITY_ERROR", "SERVER_ERROR"}


@pytest.mark.parametrize("error", LEAVES, ids=lambda error: error.__name__)
def test_every_leaf_has_a_code_of_its_own_and_a_status(error):
    assert "code" in vars(error)
    assert error.code in errors.GRPC_STATUS


def test_every_row_of_the_table_has_exactly_one_class():
    codes = [error.code for error in WITH_OWN_CODE]
    assert len(codes) == len(set(codes))
    assert set(errors.GRPC_STATUS) == set(codes) - GROUPS == set(errors.BY_CODE)


def test_every_status_is_one_that_grpc_knows():
    assert set(errors.GRPC_STATUS.values()) <= GRPC_NAMES


def test_the_drawn_tree_names_exactly_the_classes_that_exist():
    drawing = errors.__doc__.split("\n\n")[1]
    drawn = set(re.findall(r"\b[A-Z]\w+", drawing))
    assert drawn == {error.__name__ for error in ALL} | {"SeemError"}


@pytest.mark.parametrize("error", LEAVES, ids=lambda error: error.__name__)
def test_every_leaf_says_what_to_do_in_one_sentence_of_its_own(error):
    assert "hint" in vars(error)
    assert re.fullmatch(r"[A-Z].*[^.]\.", error.hint)


@pytest.mark.parametrize("error", LEAVES, ids=lambda error: error.__name__)
def test_a_code_rebuilds_the_error_that_was_sent(error):
    sent = error("It was so.", retry_after_ms=7)
    back = errors.from_code(sent.code, sent.message, hint=sent.hint, retry_after_ms=7)
    assert type(back) is error
    assert (str(back), back.retry_after_ms, back.fault) == (str(sent), 7, sent.fault)


@pytest.mark.parametrize(
    ("fault", "group"),
    [
        (errors.Fault.CALLER, errors.CallerError),
        (errors.Fault.CAPACITY, errors.CapacityError),
        (errors.Fault.SERVER, errors.ServerError),
    ],
)
def test_a_code_from_the_future_becomes_its_faults_group(fault, group):
    error = errors.from_code("TOO_SHINY", "It shines.", fault=fault, hint="Wear glasses.")
    assert type(error) is group
    assert (error.code, str(error)) == ("TOO_SHINY", "It shines. Wear glasses.")
    assert group.code != "TOO_SHINY"


def test_a_callers_fault_is_a_value_error_and_the_others_are_not():
    assert issubclass(errors.CallerError, ValueError)
    assert not issubclass(errors.CapacityError, ValueError)
    assert not issubclass(errors.ServerError, ValueError)


def test_an_error_survives_pickling():
    back = pickle.loads(pickle.dumps(errors.Overloaded("Full.", retry_after_ms=40)))  # noqa: S301
    assert (type(back), back.message, back.retry_after_ms) == (errors.Overloaded, "Full.", 40)
