from __future__ import annotations

import io
import json
import logging

import pytest

from seem_server.telemetry import logs


@pytest.fixture
def logger():
    root = logging.getLogger(logs.ROOT)
    before = root.level, root.handlers, root.propagate
    yield logging.getLogger(f"{logs.ROOT}.tests")
    root.level, root.handlers, root.propagate = before
    root.setLevel(before[0])


def written(logger, log_format, *, level="info"):
    stream = io.StringIO()
    logs.configure(level, log_format, stream)
    logger.debug("too fine")
    logger.info("sessions ended", extra={"n_sessions": 2})
    return stream.getvalue()


def test_a_line_for_people(logger):
    line = written(logger, logs.LogFormat.TEXT)
    assert line.endswith("Z INFO seem_server.tests sessions ended n_sessions=2\n")


def test_a_line_for_machines(logger):
    line = json.loads(written(logger, logs.LogFormat.JSON))
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "seem_server.tests",
        "message": "sessions ended",
        "n_sessions": 2,
    }


def test_what_is_below_the_level_is_left_out(logger):
    assert written(logger, logs.LogFormat.TEXT, level="error") == ""
    assert "too fine" in written(logger, logs.LogFormat.TEXT, level="debug")


def test_the_call_that_is_served_is_named(logger):
    token = logs.request_id.set("abc")
    try:
        assert json.loads(written(logger, logs.LogFormat.JSON))["request_id"] == "abc"
    finally:
        logs.request_id.reset(token)


@pytest.mark.parametrize("log_format", logs.LogFormat)
def test_an_exception_leaves_its_traceback(logger, log_format):
    stream = io.StringIO()
    logs.configure("info", log_format, stream)
    try:
        int("bad luck")
    except ValueError:
        logger.exception("it broke")
    assert "Traceback" in stream.getvalue()
    assert "bad luck" in stream.getvalue()


def test_configuring_again_does_not_double_the_lines(logger):
    written(logger, logs.LogFormat.TEXT)
    assert written(logger, logs.LogFormat.TEXT).count("sessions ended") == 1
