"""`seem adapter label-studio`: an ML back end for Label Studio."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from seem_server.commands.reach import add_reach_options, reach_address
from seem_server.settings import SettingInvalid, is_loopback

if TYPE_CHECKING:
    import argparse

    from seem_client.adapters.label_studio.app import Door


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "label-studio",
        help="an ML back end for Label Studio",
        description="Serves Label Studio's ML back end protocol: smart keypoints, rectangles, "
        "brushes and texts become masks. See docs/label-studio.md.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="where to listen (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=9090, help="(default: %(default)s; 0: any)")
    parser.add_argument(
        "--basic-auth-file",
        type=Path,
        metavar="FILE",
        help="USER:PASSWORD, alone in a file, that Label Studio has to show",
    )
    parser.add_argument(
        "--label-studio-url",
        default="http://localhost:8080",
        metavar="URL",
        help="where pictures are fetched (default: %(default)s)",
    )
    parser.add_argument(
        "--label-studio-token-file",
        type=Path,
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
    add_reach_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serves until it is interrupted; gives the exit code.

    Raises:
        SettingInvalid: Strangers could use it, or what it needs is not installed.
        SeemError: Its own server cannot be made.
        OSError: A file cannot be read, or the port is taken.
    """
    try:
        from seem_client.adapters.label_studio.app import serve  # noqa: PLC0415 - an extra
        from seem_client.adapters.label_studio.backend import Server  # noqa: PLC0415
        from seem_client.adapters.label_studio.fetching import Source  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingInvalid(
            f"{error.name} is not installed: pip install 'seem-server[label-studio]'."
        ) from error
    door = _door(arguments)
    source = Source(
        arguments.label_studio_url,
        _line(arguments.label_studio_token_file) or "",
        frozenset(arguments.image_host),
    )
    with reach_address(arguments) as reach:
        server = Server(
            reach.address, token=reach.token, tls=reach.tls, client_cert=reach.client_cert
        )
        asyncio.run(serve(server, source, door, _tell))
    return 0


def _door(arguments: argparse.Namespace) -> Door:
    from seem_client.adapters.label_studio.app import Door  # noqa: PLC0415 - an extra

    user, colon, password = (_line(arguments.basic_auth_file) or "").partition(":")
    if arguments.basic_auth_file and not (user and colon and password):
        raise SettingInvalid(f"{arguments.basic_auth_file} does not hold USER:PASSWORD.")
    if not user and not is_loopback(arguments.host):
        raise SettingInvalid(
            f"host is {arguments.host!r}, which other machines can reach: set --basic-auth-file."
        )
    return Door(arguments.host, arguments.port, (user, password) if user else None)


def _line(path: Path | None) -> str | None:
    return None if path is None else path.read_text("utf-8").strip()


def _tell(address: str) -> None:
    print(f"serving Label Studio on {address}", flush=True)
