"""`seem adapter NAME`: an annotation tool's own protocol on one side, the SDK on the other."""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from seem_client.adapters.link import RECONNECT_S, Link
from seem_client.channel import is_loopback
from seem_server.commands.reach import add_reach_options, connecting
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    from seem_client import AsyncClient


@dataclass(frozen=True, slots=True)
class Adapter:
    """One that is called over HTTP.

    Attributes:
        module: Its `application(link, arguments)` makes the aiohttp application.
        port: Where it listens unless told otherwise.
        does: What it does, for `--help`.
        extra: Of this package, with what it needs.
        add_options: Adds what only it takes.
        has_login: Whether the tool can show a user and a password.
    """

    module: str
    port: int
    does: str
    extra: str
    add_options: Callable[[argparse.ArgumentParser], None] = lambda _: None
    has_login: bool = False


def _cvat_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--public-port", type=int, metavar="PORT", help="where CVAT reaches it (default: --port)"
    )
    parser.add_argument(
        "--vocabulary", metavar="A,B,C", help="what the detector looks for (default: all it knows)"
    )


def _label_studio_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--label-studio-url",
        default="http://localhost:8080",
        metavar="URL",
        help="where pictures are fetched (default: %(default)s)",
    )
    parser.add_argument(
        "--label-studio-token-file",
        metavar="FILE",
        help="an access token of Label Studio, alone in a file (default: what Label Studio sends)",
    )
    parser.add_argument(
        "--image-host",
        action="append",
        default=[],
        metavar="HOST",
        help="another host that pictures may be fetched from, without a token",
    )


ADAPTERS = {
    "cvat": Adapter(
        "seem_client.adapters.cvat_nuclio", 8070, "be CVAT's nuclio", "cvat", _cvat_options
    ),
    "label-studio": Adapter(
        "seem_client.adapters.label_studio.app",
        9090,
        "be an ML back end of Label Studio",
        "label-studio",
        _label_studio_options,
        has_login=True,
    ),
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "adapter",
        help="serve an annotation tool in its own protocol",
        description="Serves an annotation tool in its own protocol until SIGTERM or SIGINT.",
    )
    names = parser.add_subparsers(dest="adapter", required=True, metavar="NAME")
    for name, adapter in ADAPTERS.items():
        one = names.add_parser(name, help=adapter.does, description=f"To {adapter.does}.")
        one.add_argument(
            "--host", dest="listen_host", default="127.0.0.1", help="default: %(default)s"
        )
        one.add_argument(
            "--port",
            dest="listen_port",
            type=int,
            default=adapter.port,
            help="default: %(default)s",
        )
        one.add_argument(
            "--insecure",
            dest="listen_insecure",
            action="store_true",
            help="listen to other machines, though whoever reaches the port may use it",
        )
        if adapter.has_login:
            one.add_argument(
                "--basic-auth-file",
                metavar="FILE",
                help="USER:PASSWORD, alone in a file, that the tool has to show",
            )
        adapter.add_options(one)
        one.add_argument(
            "--json", action="store_true", help="when it serves, print its URL as one JSON document"
        )
        add_reach_options(one)


def run(arguments: argparse.Namespace) -> int:
    """Serves; gives the exit code.

    Raises:
        InvalidValue: It would listen to other machines, what it needs is not installed, or an
            option makes no sense.
        SeemError: There is no server of its own; one that runs elsewhere may come later.
        OSError: The port is taken, or a file can't be read.
    """
    adapter = ADAPTERS[arguments.adapter]
    _check_exposure(adapter, arguments)
    try:
        import_module(adapter.module)
    except ModuleNotFoundError as missing:
        raise InvalidValue(
            f"The adapter needs {missing.name}: pip install 'seem-server[{adapter.extra}]'."
        ) from missing
    with connecting(arguments, reconnect_s=RECONNECT_S) as connect:
        asyncio.run(_serve(adapter, arguments, connect))
    return 0


def _check_exposure(adapter: Adapter, arguments: argparse.Namespace) -> None:
    host, is_guarded = arguments.listen_host, adapter.has_login and arguments.basic_auth_file
    if not (is_guarded or arguments.listen_insecure or is_loopback(f"{host}:0")):
        login = "--basic-auth-file, or " if adapter.has_login else ""
        raise InvalidValue(
            f"At {host} whoever reaches the port may use it: give {login}--insecure in a network "
            "that keeps strangers out."
        )


async def _serve(
    adapter: Adapter, arguments: argparse.Namespace, connect: Callable[[], Awaitable[AsyncClient]]
) -> None:
    from seem_client.adapters.http_site import listening  # noqa: PLC0415  (an extra)

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    link = Link(connect)
    app = import_module(adapter.module).application(link, arguments)
    try:
        async with listening(app, arguments.listen_host, arguments.listen_port) as url:
            told = f"seem adapter {arguments.adapter} listens at {url}"
            print(json.dumps({"url": url}) if arguments.json else told, flush=True)
            await stop.wait()
    finally:
        await link.close()
