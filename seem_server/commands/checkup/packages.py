"""What is installed, held against what this package asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seem_server.commands.checkup.finding import PIP, SERVE_REMEDY, Finding, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from packaging.requirements import Requirement

    Installed = Callable[[str], str | None]
    """The version of a distribution, None where it is not installed."""

CPU_RUNTIME, GPU_RUNTIME = "onnxruntime", "onnxruntime-gpu"
SERVE, GPU = "serve", "gpu"
OF_DEVELOPERS = frozenset({"test", "dev", "pretrained-text"})

_ANEW = (
    f"{PIP} uninstall -y {CPU_RUNTIME} {GPU_RUNTIME}, then {PIP} install 'seem-server[gpu]' "
    "for a GPU, or 'seem-server[serve]' for the CPU."
)

PURPOSES = {
    "cvat": "CVAT",
    "label-studio": "Label Studio",
    "web": "the annotator in the browser",
    "video": "video files",
    "otel": "traces",
    "scale": "sessions in Valkey or Redis",
    "model": "training, and converting checkpoints",
}
"""What extras are for; of one that is not listed, its name tells."""


def check_python(version: tuple[int, int, int], asked: str) -> Finding:
    """Whether this Python is one that the package runs on; `asked` as in its metadata, >=X.Y."""
    told = ".".join(map(str, version))
    least = tuple(int(part) for part in asked.removeprefix(">=").split("."))
    if version >= least:
        return Finding("Python", State.OK, told)
    mend = f"Make an environment with Python {asked}, and install into it."
    return Finding("Python", State.FAULT, f"{told}, and {asked} is asked", mend)


def check_packages(requirements: Sequence[str], installed: Installed) -> list[Finding]:
    """What serving asks for in the package's metadata: one line for all that is right.

    Whether it works with what is wrong, trying it tells (`bundles`), so nothing here is needed.
    """
    on_gpu = installed(GPU_RUNTIME) is not None and installed(CPU_RUNTIME) is None
    extra = GPU if on_gpu else SERVE
    wanted = [*_required(requirements, ""), *_required(requirements, extra)]
    wrong = [finding for one in wanted if (finding := _wrong(one, installed(one.name), extra))]
    right = [
        f"{one.name} {installed(one.name)}"
        for one in wanted
        if one.name not in {finding.subject for finding in wrong}
    ]
    return [Finding("packages", State.OK, ", ".join(right)), *wrong]


def check_extras(
    requirements: Sequence[str], names: Sequence[str], installed: Installed
) -> list[Finding]:
    """What else can be had; none of it is needed to serve."""
    chosen = [name for name in names if name not in {SERVE, GPU, *OF_DEVELOPERS}]
    return [_extra(name, _required(requirements, name), installed) for name in chosen]


def check_runtimes(cpu: str | None, gpu: str | None, providers: Sequence[str] | None) -> Finding:
    """Which ONNX Runtime there is, by the versions of its two packages.

    `providers`: where it says that it can run, None where it does not load.
    """
    if (cpu or gpu) and providers is None:
        told = f"{CPU_RUNTIME if cpu else GPU_RUNTIME} {cpu or gpu} is installed, and not whole"
        return Finding("ONNX Runtime", State.FAULT, told, _ANEW)
    offered = ", ".join(one.removesuffix("ExecutionProvider") for one in providers or ())
    if cpu and gpu:
        return Finding(
            "ONNX Runtime",
            State.FAULT,
            f"{CPU_RUNTIME} {cpu} and {GPU_RUNTIME} {gpu} are installed together: they overwrite "
            f"each other's files, and it is chance where it runs (now {offered})",
            _ANEW,
            needed=False,
        )
    if not (cpu or gpu):
        return Finding("ONNX Runtime", State.MISSING, "not installed", SERVE_REMEDY)
    told = f"{CPU_RUNTIME if cpu else GPU_RUNTIME} {cpu or gpu} can run on {offered or 'nothing'}"
    if gpu and "CUDA" not in offered:
        return Finding("ONNX Runtime", State.FAULT, f"{told}, and not on CUDA", _ANEW)
    return Finding("ONNX Runtime", State.OK, told)


def check_messages(implementation: str) -> Finding:
    """Whether messages are read by compiled code; `implementation` as protobuf calls its own."""
    if implementation != "python":
        return Finding("protobuf", State.OK, f"compiled ({implementation})")
    mend = (
        "Unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION, or "
        f"{PIP} install --force-reinstall protobuf."
    )
    told = "runs without its compiled part: messages take many times as long"
    return Finding("protobuf", State.FAULT, told, mend, needed=False)


def _required(requirements: Sequence[str], extra: str) -> list[Requirement]:
    """What is asked with an extra ("" for none) beyond what is always asked."""
    return [
        one
        for one in _read(requirements)
        if (one.marker is None) is (extra == "")
        and (one.marker is None or one.marker.evaluate({"extra": extra}))
    ]


def _read(requirements: Sequence[str]) -> Iterator[Requirement]:
    from packaging.requirements import Requirement  # noqa: PLC0415  (comes with `serve`)

    return map(Requirement, requirements)


def _fits(wanted: Requirement, version: str | None) -> bool:
    return version is not None and wanted.specifier.contains(version, prereleases=True)


def _wrong(wanted: Requirement, version: str | None, extra: str) -> Finding | None:
    if _fits(wanted, version):
        return None
    mend = f"{PIP} install --upgrade 'seem-server[{extra}]'."
    if version is None:
        return Finding(
            wanted.name, State.MISSING, f"{wanted.specifier} is asked", mend, needed=False
        )
    told = f"{version} is installed, and {wanted.specifier} is asked"
    return Finding(wanted.name, State.FAULT, told, mend, needed=False)


def _extra(name: str, wanted: Sequence[Requirement], installed: Installed) -> Finding:
    subject, mend = f"extra {name}", f"{PIP} install --upgrade 'seem-server[{name}]'."
    purpose = f"for {PURPOSES.get(name, name)}: "
    versions = {one.name: installed(one.name) for one in wanted}
    told = ", ".join(f"{one} {version}" for one, version in versions.items() if version)
    lacking = [one for one, version in versions.items() if version is None]
    if lacking:
        beside = f" ({told} is there)" if told else ""
        told = f"{purpose}{', '.join(lacking)} not installed{beside}"
        return Finding(subject, State.MISSING, told, mend, needed=False)
    old = [str(one) for one in wanted if not _fits(one, versions[one.name])]
    if old:
        asked = ", ".join(one.partition(";")[0].strip() for one in old)
        return Finding(subject, State.FAULT, f"{told}, and {asked} is asked", mend, needed=False)
    return Finding(subject, State.OK, f"{purpose}{told}", needed=False)
