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


PAIRS = [
    (getattr(waiting, name), getattr(awaited, name))
    for waiting, awaited, promised in (
        (Client, AsyncClient, CLIENT),
        (Session, AsyncSession, SESSION),
        (Video, AsyncVideo, VIDEO),
    )
    for name in sorted(promised)
]
CONNECT = (seem_client.connect, seem_client.connect_async)
AWAITED = {
    "Client": "Entering[AsyncClient]",
    "Generator[TrackedFrame, None, None]": "AsyncGenerator[TrackedFrame, None]",
}
"""What is not simply awaited, by what it is where it is waited for."""


def as_call(member):
    return member.fget if isinstance(member, property) else member


@pytest.mark.parametrize(("waiting", "awaited"), [*PAIRS, CONNECT])
def test_waiting_and_awaited_take_the_same_and_give_the_same(waiting, awaited):
    assert isinstance(waiting, property) is isinstance(awaited, property)
    taken, given = (inspect.signature(as_call(one)) for one in (waiting, awaited))
    assert list(taken.parameters.values()) == list(given.parameters.values())
    if waiting is not awaited:
        told = AWAITED.get(taken.return_annotation)
        assert given.return_annotation == (told or taken.return_annotation)
        plain = told is not None or isinstance(awaited, property)
        assert inspect.iscoroutinefunction(awaited) is not plain


@pytest.mark.parametrize(("waiting", "awaited"), PAIRS)
def test_waiting_and_awaited_say_the_same_of_themselves(waiting, awaited):
    said = inspect.getdoc(waiting)
    assert inspect.getdoc(awaited) in {
        said,
        said.replace("`Session.", "`AsyncSession."),
        said.replace("server, too.", "server, too; with\n`contextlib.aclosing` at once."),
    }


@pytest.mark.parametrize(("waiting", "awaited"), [*PAIRS, CONNECT])
def test_every_argument_and_answer_has_its_type(waiting, awaited):
    for one in (as_call(waiting), as_call(awaited)):
        signature = inspect.signature(one)
        given = [each for name, each in signature.parameters.items() if name != "self"]
        assert all(each.annotation is not inspect.Parameter.empty for each in given)
        assert signature.return_annotation is not inspect.Signature.empty


def test_the_package_offers_what_it_lists():
    assert all(hasattr(seem_client, name) for name in seem_client.__all__)


@pytest.mark.parametrize("kind", [Client, AsyncClient, Session, AsyncSession, Video, AsyncVideo])
def test_every_public_method_says_what_it_gives(kind):
    assert all(getattr(kind, name).__doc__ for name in names(kind))
