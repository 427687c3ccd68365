"""What a check found, and what to do about it."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from seem_server.settings import SettingInvalid
from seem_wire.errors import SeemError

if TYPE_CHECKING:
    from collections.abc import Callable

PIP = f"{shlex.quote(sys.executable)} -m pip"
"""That of the environment which this runs in, whichever is first on the path."""

SERVE_REMEDY = (
    f"{PIP} install 'seem-server[serve]', or with [gpu] in its place for a GPU of NVIDIA."
)


class State(StrEnum):
    """How something stands."""

    OK = "ok"
    MISSING = "missing"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing stands.

    Attributes:
        subject: What was looked at.
        told: What was found.
        mend: How to mend it, in one sentence; empty where there is nothing to mend.
        needed: Whether nothing can be served unless it is ok.
    """

    subject: str
    state: State
    told: str
    mend: str = ""
    needed: bool = True

    @property
    def blocks(self) -> bool:
        """Whether nothing can be served because of it."""
        return self.needed and self.state is not State.OK


def looked(subject: str, look: Callable[[], Finding], *, needed: bool = True) -> Finding:
    """What `look` finds; whatever it raises is a finding too: here anything may be broken."""
    try:
        return look()
    except SettingInvalid as error:
        return Finding(subject, State.FAULT, str(error), "Change that setting.", needed)
    except SeemError as error:
        return Finding(subject, State.FAULT, error.message, error.hint, needed)
    except ModuleNotFoundError as missing:
        told = f"{missing.name} is not installed"
        return Finding(subject, State.MISSING, told, SERVE_REMEDY, needed)
    except Exception as error:  # noqa: BLE001  (the edge of a check: its finding is the answer)
        told = f"{type(error).__name__}: {error}"
        return Finding(
            subject, State.FAULT, told, "Install anew, and report it if it stays.", needed
        )
