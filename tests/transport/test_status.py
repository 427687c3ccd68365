from __future__ import annotations

import grpc
import pytest

from seem_server.transport.status import STATUS, status_of, trailer_of
from seem_wire import errors
from seem_wire.convert import ERROR_METADATA_KEY, error_from_bytes


def test_every_code_has_a_status_and_every_status_a_code():
    assert set(STATUS) == set(errors.BY_CODE)
    assert all(isinstance(status, grpc.StatusCode) for status in STATUS.values())


@pytest.mark.parametrize("code", sorted(errors.BY_CODE))
def test_an_error_comes_back_the_same_out_of_the_trailer(code):
    error = errors.BY_CODE[code]("What happened.", retry_after_ms=5)
    ((key, data),) = trailer_of(error)
    back = error_from_bytes(data)
    assert key == ERROR_METADATA_KEY
    assert (type(back), str(back), back.retry_after_ms) == (type(error), str(error), 5)


def test_whose_fault_it_is_shows_in_the_status():
    assert status_of(errors.NoImage("")) is grpc.StatusCode.FAILED_PRECONDITION
    assert status_of(errors.Overloaded("")) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status_of(errors.Internal("")) is grpc.StatusCode.INTERNAL


def test_an_error_without_a_row_is_the_servers_fault():
    assert status_of(errors.SeemError("")) is grpc.StatusCode.INTERNAL
