"""What the machine gives: cores and memory within a container's limits, a GPU, a store, a port."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from seem_server.commands.checkup.finding import PIP, Finding, State
from seem_server.runtime.device_memory import DRIVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from seem_server.settings import Settings

CGROUP, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
BESIDE_CACHES_BYTES = 400 * 1000**2
"""What a server of `lite` takes beside its caches: 0.3 GB idle, 0.4 GB after four photos."""

NO_GPU_REMEDY = "None is needed; if there is one, its driver is not installed or not let in here."
ASKING_GPU_S = 20.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What this process may use: cores and bytes of memory; None where only the machine limits."""

    cores: float | None
    memory_bytes: int | None


def allowance(root: Path = CGROUP, membership: Path = MEMBERSHIP) -> Allowance:
    """The limits of the control groups that this process is in, of either version."""
    try:
        lines = membership.read_text("utf-8").splitlines()
    except OSError:
        lines = []
    cores, memory = [], []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for folder in _folders(root / controllers, path):
            cores += [*_share(folder / "cpu.max"), *_old_share(folder)]
            memory += [*_number(folder / "memory.max")]
            memory += [*_number(folder / "memory.limit_in_bytes")]
    return Allowance(min(cores, default=None), min(memory, default=None))


def check_cores(n_cores: int, allowed: Allowance, threads: int) -> Finding:
    """How many cores there are; `threads` as in the settings, 0 for one a core."""
    if allowed.cores is None or allowed.cores >= n_cores:
        return Finding("cores", State.OK, str(n_cores))
    told = f"{n_cores}, of which {allowed.cores:g} may be used"
    if (threads or n_cores) <= max(allowed.cores, 1):
        return Finding("cores", State.OK, told)
    n_threads = max(int(allowed.cores), 1)
    mend = f"Serve with --threads {n_threads}: more threads than cores make each click slower."
    return Finding("cores", State.FAULT, told, mend, needed=False)


def check_memory(total_bytes: int, allowed: Allowance, settings: Settings) -> Finding:
    """Whether the caches have room in what memory there is, when they are full."""
    there = min(total_bytes, allowed.memory_bytes or total_bytes)
    caches = settings.images_bytes + settings.features_bytes + settings.memory_bytes
    asked = caches + BESIDE_CACHES_BYTES
    told = f"{_gb(there)}, of which a server may come to take {_gb(asked)}"
    if there >= asked:
        return Finding("memory", State.OK, told)
    mend = "Serve with a smaller --features-bytes, --images-bytes or --memory-bytes."
    return Finding("memory", State.FAULT, told, mend, needed=False)


def seen_gpus() -> list[str] | None:
    """The GPUs that NVIDIA's driver tells of; None where there is no driver."""
    program = shutil.which("nvidia-smi")
    if program is not None:
        asked = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        try:
            done = subprocess.run(  # noqa: S603  (the driver's own program)
                asked, capture_output=True, text=True, check=False, timeout=ASKING_GPU_S
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip().splitlines() if done.returncode == 0 else []
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return None
    return ["one whose name is not told (no nvidia-smi)"]


def check_gpu(gpus: Sequence[str] | None, providers: Sequence[str], active: str) -> Finding:
    """Whether a GPU that is there is used; `active` is where the chosen bundle runs, or empty."""
    on_cuda = "CUDAExecutionProvider" in providers
    if not gpus:
        told = "no driver of NVIDIA" if gpus is None else "a driver of NVIDIA, and no GPU"
        if on_cuda:
            told += ", though ONNX Runtime is the one for GPUs"
        return Finding("GPU", State.MISSING, told, NO_GPU_REMEDY, needed=False)
    told = "; ".join(gpus)
    if active == "cuda":
        return Finding("GPU", State.OK, told)
    mend = (
        "Serve with --provider cuda: its error names the libraries of CUDA and cuDNN that are "
        "missing; install them."
        if on_cuda
        else f"{PIP} uninstall -y onnxruntime, then {PIP} install 'seem-server[gpu]'."
    )
    told = f"{told}: not used, the model runs on {active or 'nothing'}"
    return Finding("GPU", State.FAULT, told, mend, needed=False)


def check_folder(path: Path, *, asked_bytes: int, free: Callable[[Path], int]) -> Finding:
    """Whether a store's file can be made and written, and has the room that it may come to take."""
    there = next(one for one in (path, *path.parents) if one.exists())
    folder = there.parent if there.is_file() else there
    elsewhere = "Name another with --store sqlite:PATH, or mend the rights of the folder."
    if there.is_file() and there != path:
        return Finding("store", State.FAULT, f"{there} is a file, not a folder", elsewhere)
    try:
        with TemporaryFile(dir=folder):
            pass
        if there == path:
            path.open("r+b").close()
    except OSError as error:
        told = f"{path} cannot be written: {error.strerror}"
        return Finding("store", State.FAULT, told, elsewhere)
    told = f"{path}, {_gb(free(folder))} free"
    if free(folder) < asked_bytes:
        mend = "Make room, or serve with a smaller --store-images-bytes."
        told = f"{told}, and it may come to take {_gb(asked_bytes)}"
        return Finding("store", State.FAULT, told, mend, needed=False)
    return Finding("store", State.OK, told)


def check_listening(host: str, port: int, occupant: Callable[[], Finding]) -> Finding:
    """Whether a port can be listened on; if somebody has it, what `occupant` finds of him."""
    if port == 0:
        return Finding("port", State.OK, "any that is free")
    told = f"{host}:{port}"
    try:
        kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(address)
            one.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return occupant()
        mend = "Name another with --host and --port."
        why = error.strerror or str(error)
        return Finding("port", State.FAULT, f"{told} cannot be listened on: {why}", mend)
    return Finding("port", State.OK, f"{told} is free")


def memory_bytes() -> int:
    """Of the whole machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _folders(base: Path, path: str) -> Iterator[Path]:
    """A group's folder, and those of the groups that it lies in, as far as they are shown here."""
    parts = [part for part in path.split("/") if part]
    for length in range(len(parts), -1, -1):
        yield base.joinpath(*parts[:length])


def _share(path: Path) -> Iterator[float]:
    """Of `cpu.max`: microseconds of work, or "max", in so many of time."""
    quota, _, period = _text(path).partition(" ")
    if quota.isdecimal() and period.isdecimal():
        yield int(quota) / int(period)


def _old_share(folder: Path) -> Iterator[float]:
    quota, period = (_text(folder / f"cpu.cfs_{one}_us") for one in ("quota", "period"))
    if quota.isdecimal() and period.isdecimal():  # -1 is no limit
        yield int(quota) / int(period)


def _number(path: Path) -> Iterator[int]:
    text = _text(path)
    if text.isdecimal():
        yield int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
