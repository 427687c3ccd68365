"""`seem serve`: a server until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from seem_server import settings as options
from seem_server.app import serve
from seem_server.commands.web import load_site, told
from seem_server.telemetry import logs

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from seem_server.app import Running
    from seem_server.settings import Settings

MESSAGE_SLACK_BYTES = 16 * 1024**2
"""Beside its images: masks and outlines in a browser's message."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "serve",
        help="serve a model over gRPC",
        description="Serves a model over gRPC until SIGTERM or SIGINT; a second one does not wait. "
        "SIGHUP reads the file of --tokens-file again.",
        epilog="Each option is an environment variable too: --max-sessions is SEEM_MAX_SESSIONS.",
    )
    parser.add_argument(
        "--json", action="store_true", help="when it serves, print that as one JSON document"
    )
    options.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serves; gives the exit code.

    Raises:
        OSError: An address can't be listened on; it tells who has it.
        SeemError: What is asked for makes no sense, or something that it needs cannot be had.
    """
    settings = options.read(arguments, os.environ)
    if settings.web_port:
        load_site()  # what is missing is told before anything starts
    logs.configure(settings.log_level, logs.LogFormat(settings.log_format))
    try:
        asyncio.run(_serve(settings, as_json=arguments.json))
    except OSError as error:
        raise OSError(_taken(settings) or error) from error
    return 0


def _taken(settings: Settings) -> str:
    """Who has the server's port, and what to do about it; empty where nobody has."""
    from seem_server.commands.checkup import remote  # noqa: PLC0415  (only in need)

    place = remote.Place(settings.reached_at(settings.port))
    if settings.host.startswith("unix:") or remote.check_reach(place).blocks:
        return ""
    told = remote.check_occupant(place).told
    return f"{told}. Name another port with --port N, the annotator's with --web-port N."


async def _serve(settings: Settings, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, _stop, stop, loop)
    async with serve(settings) as running, _annotator(settings, running) as url:
        if settings.tokens_file:
            loop.add_signal_handler(signal.SIGHUP, running.renew_callers)
        if as_json:
            print(json.dumps(ready_document(running, url)), flush=True)
        else:
            print("\n".join([ready_line(running), *[told(url)] * bool(url)]), flush=True)
        await stop.wait()


@asynccontextmanager
async def _annotator(settings: Settings, running: Running) -> AsyncIterator[str]:
    """The annotator's URL, empty where nobody asked for it."""
    if not settings.web_port:
        yield ""
        return
    site = load_site()
    config = site.SiteConfig(
        port=settings.web_port, max_message_bytes=2 * settings.max_image_bytes + MESSAGE_SLACK_BYTES
    )
    async with site.serve_site(config, site.plain_reach(running.address)) as url:
        yield url


def _stop(stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    stop.set()
    for number in STOP_SIGNALS:
        loop.remove_signal_handler(number)  # a second one ends the process at once


def ready_document(running: Running, url: str) -> dict[str, str | None]:
    """The same as JSON; `web` is the annotator's URL, null where there is none."""
    model = running.model
    where = {"address": running.address, "web": url or None}
    return {**where, "model": model.model_id, "provider": model.provider}


def ready_line(running: Running) -> str:
    """What to tell when clients can come."""
    model = running.model
    return f"seem serves {model.model_id} on {model.provider} at {running.address}"
