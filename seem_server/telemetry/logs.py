"""Logs: one line an event, with the request's id and the session's tag, which is not its id.

Never a prompt, a mask or an image, and nothing that lets a reader use somebody's session.

`logger.info("a message without numbers", extra={"n_masks": 3})` becomes

    text   2026-11-23T20:12:07.123Z INFO seem_server.transport a message without numbers n_masks=3
    json   {"time": "2026-11-23T20:12:07.123Z", "level": "INFO", "logger": ..., "n_masks": 3}
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the call that is being served, empty outside of any."""

session_tag: ContextVar[str] = ContextVar("session_tag", default="")
"""The tag of the session that is being served, empty outside of any."""

ROOT = "seem_server"
"""The logger that is configured; other libraries' loggers are the embedding program's."""

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogFormat(StrEnum):
    """How a line is written."""

    TEXT = "text"
    JSON = "json"


def configure(level: str, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Writes the server's logs from `level` on to `stream` (standard error if None).

    Raises:
        ValueError: There is no such level.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if log_format is LogFormat.JSON else TextLines())
    logger = logging.getLogger(ROOT)
    logger.setLevel(level.upper())
    logger.handlers = [handler]
    logger.propagate = False


class TextLines(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line; a traceback follows on lines of its own."""
        fields = _fields(record)
        pairs = [f"{name}={value}" for name, value in fields.items()]
        line = " ".join([_time(record), record.levelname, record.name, record.getMessage(), *pairs])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """Lines for machines: each one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    """What the record has beyond what every record has."""
    extra = {name: value for name, value in vars(record).items() if name not in _OWN}
    around = {"request_id": request_id.get(), "session": session_tag.get()}
    return {name: value for name, value in around.items() if value} | extra


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
