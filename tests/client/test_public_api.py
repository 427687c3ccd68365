"""What programs see: one set of names, whether they wait or await."""

from __future__ import annotations

import inspect

import pytest

import seem_client
from seem_client import AsyncClient, AsyncSession, AsyncVideo, Client, Session, Video

SESSION = {
    *(
        "click",
        "box",
        "scribble",
        "lasso",
        "choose",
        "mask",
        "text",
        "example",
        "prompt",
        "everything",
    ),
    *("submit_click", "submit_prompt", "undo", "redo", "clear", "remove", "close", "leave"),
    *("id", "size", "predictions"),
}
VIDEO = SESSION | {"propagate", "n_frames"}
CLIENT = {"open", "segment", "everything", "attach", "track", "model", "close"}
INTERNAL = {"show", "resume", "greet", "begin", "go_on_with"}  # for the client that opens them


def names(kind):
    return {name for name in dir(kind) if not name.startswith("_")} - INTERNAL


@pytest.mark.parametrize(
    ("kind", "promised"),
    [
        (Client, CLIENT),
        (AsyncClient, CLIENT),
        (Session, SESSION),
        (AsyncSession, SESSION),
        (Video, VIDEO),
        (AsyncVideo, VIDEO),
    ],
)
def test_each_offers_the_names_of_the_contract_and_no_others(kind, promised):
    assert names(kind) == promised


@pytest.mark.parametrize(
    ("waiting", "awaited"),
    [(getattr(Client, n), getattr(AsyncClient, n)) for n in sorted(CLIENT)]
    + [(getattr(Session, n), getattr(AsyncSession, n)) for n in sorted(SESSION)]
    + [(getattr(Video, n), getattr(AsyncVideo, n)) for n in sorted(VIDEO)]
    + [(seem_client.connect, seem_client.connect_async)],
)
def test_waiting_and_awaited_methods_take_the_same_arguments(waiting, awaited):
    if isinstance(waiting, property):
        assert isinstance(awaited, property)
        return
    assert inspect.signature(waiting).parameters == inspect.signature(awaited).parameters


def test_the_package_offers_what_it_lists():
    assert all(hasattr(seem_client, name) for name in seem_client.__all__)


@pytest.mark.parametrize("kind", [Client, AsyncClient, Session, AsyncSession, Video, AsyncVideo])
def test_every_public_method_says_what_it_gives(kind):
    assert all(getattr(kind, name).__doc__ for name in names(kind))
