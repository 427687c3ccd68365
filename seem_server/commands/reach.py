"""How a command gets at a server: one that runs somewhere, or one of its own for the time being."""

from __future__ import annotations

import multiprocessing
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seem_client
from seem_server import settings
from seem_wire.errors import Disconnected, SeemError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager
    from multiprocessing.connection import Connection

    from seem_client import AsyncClient, Client
    from seem_server.settings import Settings


def add_reach_options(parser: argparse.ArgumentParser) -> None:
    """Adds --server, and what a server of one's own needs to know."""
    group = parser.add_argument_group("server (without --server the command runs its own)")
    group.add_argument("--server", metavar="HOST:PORT", help="a server that runs already")
    group.add_argument(
        "--token-file", metavar="FILE", help="its token, alone in a file (or SEEM_TOKEN)"
    )
    group.add_argument("--tls", action="store_true", help="encrypt; trust the usual authorities")
    group.add_argument("--tls-ca", metavar="FILE", help="encrypt; trust those of this PEM file")
    group.add_argument(
        "--client-cert",
        nargs=2,
        metavar=("FILE", "KEYFILE"),
        help="a certificate of one's own and its key, in PEM",
    )
    group.add_argument(
        "--bundle", metavar="NAME|DIR", help="the model of its own server (default: lite)"
    )
    group.add_argument("--provider", help="where its own server runs it: auto, cpu or cuda")


def reach(arguments: argparse.Namespace) -> AbstractContextManager[Client]:
    """A client of the server that the arguments name, or of one in this process.

    Raises, when it is entered:
        SeemError: No server answers or lets us in, or none can be made.
        SettingInvalid: A file with a token or a certificate can't be read.
    """
    return _reach(arguments, server_here)


def reach_process(arguments: argparse.Namespace) -> AbstractContextManager[Client]:
    """The same with a process of its own, which shares no interpreter lock with its client."""
    return _reach(arguments, server_process)


@contextmanager
def _reach(
    arguments: argparse.Namespace, make: Callable[[Settings], AbstractContextManager[str]]
) -> Iterator[Client]:
    if arguments.server is not None:
        with _connected(arguments) as client:
            yield client
        return
    own = settings.read(arguments, os.environ)
    with make(own) as address, seem_client.connect(address, token="") as client:
        yield client


def server_here(own: Settings) -> AbstractContextManager[str]:
    """The address of a server in a thread of this process."""
    # Only now: a command that asks another machine needs no runtime.
    from seem_server.app import local_server  # noqa: PLC0415

    return local_server(own)


@contextmanager
def connecting(
    arguments: argparse.Namespace, *, reconnect_s: float
) -> Iterator[Callable[[], Awaitable[AsyncClient]]]:
    """What connects to the same server, each time that it is called: it need not be there yet.

    Raises, when it is entered:
        SeemError: No server of its own can be made.
    """
    if arguments.server is not None:
        options = how_to_connect(arguments)
        yield lambda: seem_client.connect_async(
            arguments.server, reconnect_s=reconnect_s, **options
        )
        return
    with server_here(settings.read(arguments, os.environ)) as address:
        yield lambda: seem_client.connect_async(address, reconnect_s=reconnect_s, token="")


def _connected(arguments: argparse.Namespace) -> Client:
    """A client of the server that the arguments name."""
    return seem_client.connect(arguments.server, **how_to_connect(arguments))


def how_to_connect(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `connect` is told beside the address.

    Raises:
        SettingInvalid: A file that is named cannot be read.
    """
    named = [("--token-file", arguments.token_file), ("--tls-ca", arguments.tls_ca)]
    named += [("--client-cert", file) for file in arguments.client_cert or ()]
    for option, path in named:
        if path:
            settings.check_readable(option, path)
    token = arguments.token_file and Path(arguments.token_file).read_text("utf-8").strip()
    return {
        "token": token,
        "tls": arguments.tls_ca or arguments.tls,
        "client_cert": arguments.client_cert,
    }


@contextmanager
def server_process(own: Settings) -> Iterator[str]:
    """The address of a server in a new process."""
    context = multiprocessing.get_context("spawn")  # gRPC does not survive a fork
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(own, theirs), name="seem-server", daemon=True)
    process.start()
    theirs.close()
    try:
        yield _heard(ours)
    finally:
        ours.close()  # which ends it
        process.join()


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def _heard(ours: Connection[object, str | SeemError]) -> str:
    try:
        heard = ours.recv()
    except EOFError:
        raise Disconnected("The server's process ended before it served.") from None
    if isinstance(heard, SeemError):
        raise heard
    return heard


def _serve(own: Settings, theirs: Connection[str | SeemError, object]) -> None:
    """Serves until the other side closes the pipe."""
    try:
        with server_here(own) as address:
            theirs.send(address)
            theirs.poll(None)
    except SeemError as error:
        theirs.send(error)
