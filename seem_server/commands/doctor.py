"""`seem doctor`: what is installed, what works, what does not, and how to mend it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from seem_client.channel import check_address
from seem_server import settings as options
from seem_server.commands.checkup import formats, machine, packages, remote
from seem_server.commands.checkup.bundles import try_bundle
from seem_server.commands.checkup.finding import PIP, SERVE_REMEDY, Finding, State, looked
from seem_server.commands.reach import add_reach_options, how_to_connect
from seem_server.runtime.bundle import shipped_bundles
from seem_server.runtime.load import available_providers
from seem_server.settings import SettingInvalid, Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

DISTRIBUTION = "seem-server"
_WIDTH, _INDENT = 100, 28


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found here, and at the server that was named, if one was."""

    version: str
    here: tuple[Finding, ...]
    there: tuple[Finding, ...] | None = None

    @property
    def works(self) -> bool:
        """Whether serving would work; of a server that was named, whether it does."""
        counted = self.here if self.there is None else self.there
        return not any(finding.blocks for finding in counted)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="tell what is installed, what works, and how to mend what does not",
        description="Tells what is installed, what works and what does not, each with how to mend "
        "it. Ends with 0 where 'seem serve' would work with the same options and environment, and "
        "with 1 where it would not. With --server it looks at that server too, and the end is "
        "about that one.",
    )
    parser.add_argument("--host", help="where it would listen (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="where it would listen (default: 50051)")
    parser.add_argument("--store", help="what would keep sessions (default: sqlite)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_reach_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Looks, and prints; gives the exit code.

    Raises:
        SettingInvalid: An option makes no sense.
    """
    named = arguments.server
    place = remote.Place(check_address(named), **how_to_connect(arguments)) if named else None
    there = None if place is None else tuple(remote.check_server(place))
    checkup = Checkup(_installed(DISTRIBUTION) or "0", tuple(_here(arguments)), there)
    print(json.dumps(as_json(checkup)) if arguments.json else as_text(checkup))
    return 0 if checkup.works else 1


def as_json(checkup: Checkup) -> dict[str, object]:
    """The document of `--json`; `server` is null where none was named."""
    there = checkup.there
    return {
        "version": checkup.version,
        "works": checkup.works,
        "findings": [asdict(finding) for finding in checkup.here],
        "server": None if there is None else [asdict(finding) for finding in there],
    }


def as_text(checkup: Checkup) -> str:
    """The same as a table."""
    lines = [f"seem-server {checkup.version}", *_rows(checkup.here)]
    what = "Serving would work" if checkup.works else "Serving would not work"
    if checkup.there is not None:
        lines += ["", "the server", *_rows(checkup.there)]
        what = "The server can be used" if checkup.works else "The server cannot be used"
    findings = [*checkup.here, *(checkup.there or ())]
    counts = [f"{sum(one.state is state for one in findings)} {state}" for state in State]
    return "\n".join([*lines, "", f"{what} ({', '.join(counts)})."])


def _rows(findings: Sequence[Finding]) -> Iterator[str]:
    for one in findings:
        head = f"{one.state:9}{one.subject:{_INDENT - 9}}"
        beside = " " * _INDENT
        yield _filled(one.told, head)
        if one.mend:
            yield _filled(f"mend: {one.mend}", beside)


def _filled(text: str, head: str) -> str:
    """A paragraph, in which commands and paths stay whole, to be copied."""
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


# --- what is looked at here


def _here(arguments: argparse.Namespace) -> Iterator[Finding]:
    yield from _packages()
    settings, wrong = _settings(arguments)
    yield wrong or looked("settings", partial(_door, settings))
    yield from _model(settings)
    yield from _formats()
    yield from _machine(settings)


def _settings(arguments: argparse.Namespace) -> tuple[Settings, Finding | None]:
    """What a server would be told; what the environment has wrong is a finding."""
    told = options.read(arguments, {})
    try:
        return options.read(arguments, os.environ), None
    except SettingInvalid as error:
        mend = "Set that variable of the environment right, or unset it."
        return told, Finding("settings", State.FAULT, str(error), mend)


def _packages() -> Iterator[Finding]:
    try:
        about = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        mend = f"{PIP} install -e '.[serve]' in the clone."
        told = "this runs from files that pip did not install: what they need is not known"
        yield Finding("packages", State.MISSING, told, mend, needed=False)
        return
    asked = metadata.requires(DISTRIBUTION) or []
    yield looked(
        "Python",
        lambda: packages.check_python(sys.version_info[:3], about["Requires-Python"]),
    )
    if find_spec("packaging") is None:
        told = "without packaging it cannot be told which others are missing"
        yield Finding("packages", State.MISSING, told, SERVE_REMEDY, needed=False)
    else:
        yield from _all("packages", lambda: packages.check_packages(asked, _installed))
        names = about.get_all("Provides-Extra") or []
        look = partial(packages.check_extras, asked, names, _installed)
        yield from _all("extras", look, needed=False)
    yield looked("protobuf", lambda: packages.check_messages(_implementation()))
    yield looked("ONNX Runtime", _runtimes)


def _all(
    subject: str, look: Callable[[], Sequence[Finding]], *, needed: bool = True
) -> list[Finding]:
    """Several findings of one check, or that it broke."""
    found: list[Finding] = []

    def first() -> Finding:
        found.extend(look())
        return found[0]

    broken = looked(subject, first, needed=needed)
    return found or [broken]


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _implementation() -> str:
    from google.protobuf.internal import api_implementation  # noqa: PLC0415  (only looked at here)

    return api_implementation.Type()


def _runtimes() -> Finding:
    cpu, gpu = _installed(packages.CPU_RUNTIME), _installed(packages.GPU_RUNTIME)
    return packages.check_runtimes(cpu, gpu, _providers())


def _providers() -> list[str] | None:
    """Where ONNX Runtime says that it can run; None where it does not load."""
    try:
        return available_providers()
    except (ImportError, AttributeError):
        return None


def _door(settings: Settings) -> Finding:
    """What `seem serve` would refuse before it starts."""
    settings.check_exposure()
    settings.check_files()
    if settings.tls_cert:
        from seem_server.transport.tls import read_tls  # noqa: PLC0415  (only where there is TLS)

        read_tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    if settings.tokens_file:
        from seem_server.service.callers import read_callers  # noqa: PLC0415  (as above)

        read_callers(Path(settings.tokens_file).read_text("utf-8"))
    who = "those of its tokens" if settings.authenticates else "anybody who reaches it"
    tls = "with TLS" if settings.tls_cert else "without TLS"
    return Finding("settings", State.OK, f"listens at {settings.host} {tls}, lets in {who}")


def _model(settings: Settings) -> Iterator[Finding]:
    """The bundle that would be served, those that came along, and whether a GPU is used."""
    active = [""]
    for name in dict.fromkeys([settings.bundle, *shipped_bundles()]):
        subject, chosen = f"bundle {Path(name).name}", name == settings.bundle
        ran_on = active.append if chosen else None
        alone = replace(settings, bundle=name)
        look = partial(try_bundle, subject, alone, needed=chosen, ran_on=ran_on)
        yield looked(subject, look, needed=chosen)
    providers = _providers() or []
    yield looked(
        "GPU", lambda: machine.check_gpu(machine.seen_gpus(), providers, active[-1]), needed=False
    )


def _formats() -> Iterator[Finding]:
    yield from _all("images", _images)
    yield looked("labels", formats.check_text, needed=False)
    yield looked("video files", formats.check_video, needed=False)


def _images() -> list[Finding]:
    from seem_server.service.ingest import FORMATS, read_image  # noqa: PLC0415  (comes with `serve`)
    from seem_wire.types import Limits  # noqa: PLC0415  (only where images are read)

    return [
        *formats.check_images(FORMATS, lambda data: read_image(data, Limits())),
        formats.check_foreign_images(FORMATS),
    ]


def _machine(settings: Settings) -> Iterator[Finding]:
    allowed = machine.allowance()
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield looked("cores", lambda: machine.check_cores(n_cores or 1, allowed, settings.threads))
    yield looked("memory", lambda: machine.check_memory(machine.memory_bytes(), allowed, settings))
    yield looked("store", lambda: _store(settings))
    yield looked("port", lambda: _port(settings))


def _store(settings: Settings) -> Finding:
    from seem_server.store.opening import SQLITE, default_path, open_store  # noqa: PLC0415

    if settings.store == SQLITE or settings.store.startswith(f"{SQLITE}:"):
        named = settings.store.removeprefix(SQLITE).removeprefix(":")
        return machine.check_folder(
            Path(named) if named else default_path(),
            asked_bytes=settings.store_images_bytes + settings.store_answers_bytes,
            free=lambda folder: shutil.disk_usage(folder).free,
        )
    if settings.store == "memory":
        return Finding("store", State.OK, "memory: sessions end with the server")
    from seem_server.store.base import Keeping  # noqa: PLC0415

    open_store(settings.store, Keeping()).close()
    return Finding("store", State.OK, f"{settings.store.partition('://')[0]} answers")


def _port(settings: Settings) -> Finding:
    if settings.host.startswith("unix:"):
        folder = Path(settings.host.removeprefix("unix:")).parent
        if os.access(folder, os.W_OK):
            return Finding("port", State.OK, settings.host)
        told = f"{folder} is not there, or cannot be written"
        return Finding("port", State.FAULT, told, "Name another socket with --host unix:PATH.")
    place = remote.Place(settings.reached_at(settings.port))
    return machine.check_listening(
        settings.host.strip("[]"), settings.port, partial(remote.check_occupant, place)
    )
