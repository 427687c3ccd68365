"""`seem web`: the annotator in the browser, before a server that runs or one of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from seem_client.channel import reach_of
from seem_server import settings
from seem_server.commands.reach import add_reach_options, server_here
from seem_server.settings import SettingInvalid
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from types import ModuleType

    from seem_client.channel import Reach

DEFAULT_PORT = 8010


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "web",
        help="serve the annotator for browsers",
        description="Serves the annotator for browsers until SIGTERM or SIGINT. Browsers bring "
        "their own tokens, which go on to the server.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="where to listen (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help="where to listen; 0 takes any free port (default: %(default)s)",
    )
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="the address under which browsers know it behind a proxy, as https://HOST",
    )
    parser.add_argument("--tls-cert", default="", metavar="FILE", help="its certificate, in PEM")
    parser.add_argument("--tls-key", default="", metavar="FILE", help="the certificate's key")
    parser.add_argument(
        "--insecure", action="store_true", help="listen to other machines without TLS all the same"
    )
    parser.add_argument(
        "--json", action="store_true", help="when it serves, print its URL as one JSON document"
    )
    add_reach_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serves; gives the exit code."""
    site = load_site()
    for option, path in (("--tls-cert", arguments.tls_cert), ("--tls-key", arguments.tls_key)):
        if arguments.tls_cert and arguments.tls_key:
            settings.check_readable(option, path)
    config = site.SiteConfig(
        host=arguments.host,
        port=arguments.port,
        origins=frozenset(arguments.origin),
        tls_cert=arguments.tls_cert,
        tls_key=arguments.tls_key,
        insecure=arguments.insecure,
    )
    with _reached(arguments) as server:
        asyncio.run(_serve(site, config, server, as_json=arguments.json))
    return 0


def load_site() -> ModuleType:
    """The module that serves the annotator.

    Raises:
        SettingInvalid: What it needs is not installed.
    """
    try:
        from seem_server.web import site  # noqa: PLC0415  (an extra, only where asked for)
    except ModuleNotFoundError as missing:
        raise SettingInvalid(
            f"The annotator needs {missing.name}: pip install 'seem-server[web]'."
        ) from missing
    return site


def told(url: str) -> str:
    """What to tell when browsers can come."""
    return f"open {url} in a browser to annotate"


async def _serve(site: ModuleType, config: object, server: Reach, *, as_json: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with site.serve_site(config, server) as url:
        print(json.dumps({"url": url}) if as_json else told(url), flush=True)
        await stop.wait()


@contextmanager
def _reached(arguments: argparse.Namespace) -> Iterator[Reach]:
    if arguments.token_file:
        raise InvalidValue("Browsers bring their own tokens; --token-file has no use here.")
    if arguments.server is not None:
        tls = arguments.tls_ca or arguments.tls
        yield reach_of(arguments.server, token="", tls=tls, client_cert=arguments.client_cert)
        return
    own = settings.read(arguments, os.environ)
    with server_here(replace(own, port=0)) as address:
        yield reach_of(address, token="", tls=None, client_cert=None)
