"""The heavy imports of serving, here alone and only when something is loaded.

`import seem_server` must stay quick, and must work where ONNX Runtime is not installed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seem_server.runtime.backend import Interrupted
from seem_wire.errors import BundleInvalid, ProviderNotActive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)


class Provider(StrEnum):
    """Where a bundle is asked to run; AUTO is CUDA where it works, else the CPU."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


_ORT_NAMES = {Provider.CPU: "CPUExecutionProvider", Provider.CUDA: "CUDAExecutionProvider"}
_CUDA_OPTIONS = {
    # The default tries every algorithm for each new input shape, for seconds; photos come in any.
    "cudnn_conv_algo_search": "HEURISTIC",
    # Full float32, so that masks are those of the CPU.
    "use_tf32": "0",
}
_INSTALL_HINT = "onnxruntime-gpu runs on CUDA only where onnxruntime is not installed beside it."


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """An array that lies wherever the runtime put it, on the host or on its device."""

    value: Any
    nbytes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Its lengths."""
        return tuple(self.value.shape())

    def numpy(self) -> npt.NDArray[np.float32]:
        """The numbers as an array on the host."""
        array: npt.NDArray[np.float32] = self.value.numpy()
        return array


class Brake:
    """Ends the runs of all graphs that were opened with it, between two of their nodes."""

    def __init__(self) -> None:
        import onnxruntime  # noqa: PLC0415  (heavy: see the module's docstring)

        self.options = onnxruntime.RunOptions()

    def pull(self) -> None:
        """Has runs raise Interrupted, until `release`; may be called from any thread."""
        self.options.terminate = True

    def release(self) -> None:
        """Lets runs go on to their end."""
        self.options.terminate = False

    @property
    def is_pulled(self) -> bool:
        """Whether it is."""
        return bool(self.options.terminate)


class Graph:
    """One ONNX graph, ready to run. Outputs stay on the device until they are asked for."""

    def __init__(self, session: Any, provider: Provider, brake: Brake) -> None:
        self._session = session
        self._brake = brake
        self.provider = provider
        self.inputs = tuple(one.name for one in session.get_inputs())
        self.outputs = tuple(one.name for one in session.get_outputs())

    def run(
        self,
        arrays: Mapping[str, npt.NDArray[np.generic]],
        tensors: Mapping[str, Tensor],
        outputs: Sequence[str],
    ) -> list[Tensor]:
        """The tensors `outputs`; inputs are arrays of the host and tensors of earlier runs.

        Raises:
            Interrupted: The brake was pulled before they were there.
        """
        binding = self._session.io_binding()
        for name, array in arrays.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(array))
        for name, tensor in tensors.items():
            binding.bind_ortvalue_input(name, tensor.value)
        for name in outputs:
            binding.bind_output(name, self.provider.value)
        try:
            self._session.run_with_iobinding(binding, self._brake.options)
        except graph_errors() as error:
            if self._brake.is_pulled:
                raise Interrupted from error
            raise
        return [Tensor(one, one.tensor_size_in_bytes()) for one in binding.get_outputs()]

    def record(self) -> Path:
        """Ends the record of its kernels, where it was opened with one, and gives the file."""
        return Path(self._session.end_profiling())

    def put(self, array: npt.NDArray[np.float32]) -> Tensor:
        """A copy of an array where this graph runs."""
        import onnxruntime  # noqa: PLC0415  (heavy: see the module's docstring)

        value = onnxruntime.OrtValue.ortvalue_from_numpy(array.copy(), self.provider.value)
        return Tensor(value, array.nbytes)


def available_providers() -> list[str]:
    """Where ONNX Runtime says that it can run.

    Raises:
        ImportError, AttributeError: It is not there, or what pip left of two in one folder.
    """
    import onnxruntime  # noqa: PLC0415  (heavy: see the module's docstring)

    available: list[str] = onnxruntime.get_available_providers()
    return available


def open_graph(
    path: Path,
    *,
    provider: Provider,
    n_threads: int,
    brake: Brake | None = None,
    records: Path | None = None,
) -> Graph:
    """A graph on the provider that was asked for, and on no other.

    `n_threads`: threads within one run; 0 for one a core. `brake`: what ends its runs. `records`: a
    folder for the record of its kernels, which `Graph.record` gives; None for none.

    Raises:
        ProviderNotActive: The provider that was asked for is not the one that would run.
        BundleInvalid: The file is no ONNX graph that this runtime can load.
    """
    import onnxruntime  # noqa: PLC0415

    available = onnxruntime.get_available_providers()
    chosen = _choose(provider, available)
    if chosen is Provider.CUDA and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA's libraries out of the nvidia packages, where they are
    options = _options(onnxruntime, n_threads)
    if records is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(records / path.stem)
    try:
        session = onnxruntime.InferenceSession(path, options, providers=_providers(chosen))
    except graph_errors() as error:
        raise BundleInvalid(f"{path.name} does not load: {error}") from error
    session.disable_fallback()  # never to the CPU in the middle of a session, behind our back
    active = session.get_providers()
    if _ORT_NAMES[chosen] != active[0]:
        if provider is not Provider.AUTO:
            raise ProviderNotActive(
                f"{chosen} was asked for; active are {', '.join(active)}. {_INSTALL_HINT}"
            )
        logger.warning("cuda is there and does not start; running on the cpu")
        return open_graph(
            path, provider=Provider.CPU, n_threads=n_threads, brake=brake, records=records
        )
    return Graph(session, chosen, brake or Brake())


def check_names(
    name: str, graph: Graph, inputs: set[str], outputs: set[str], *, optional: frozenset[str]
) -> None:
    """Raises BundleInvalid where a graph takes or gives other things than it should.

    It must take `inputs`, may lack those of them that are `optional`, and may give more.
    """
    taken, given = set(graph.inputs), set(graph.outputs)
    if not inputs - optional <= taken <= inputs or not outputs <= given:
        raise BundleInvalid(
            f"{name} should take {sorted(inputs)} and give {sorted(outputs)};"
            f" it takes {sorted(taken)} and gives {sorted(given)}."
        )


def graph_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises where a graph does not load or run."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
        RuntimeError,  # where an input does not fit a graph
    )


def open_tokenizer(path: Path, *, max_tokens: int) -> Tokenizer:
    """A tokenizer that cuts texts to `max_tokens` tokens and does not pad.

    Raises:
        BundleInvalid: The file is no tokenizer.
    """
    from tokenizers import Tokenizer  # noqa: PLC0415

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise BundleInvalid(f"{path.name} does not load: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _choose(provider: Provider, available: Sequence[str]) -> Provider:
    has_cuda = _ORT_NAMES[Provider.CUDA] in available
    if provider is Provider.AUTO:
        return Provider.CUDA if has_cuda else Provider.CPU
    if _ORT_NAMES[provider] not in available:
        offered = ", ".join(available)
        raise ProviderNotActive(f"{provider} was asked for; there are {offered}. {_INSTALL_HINT}")
    return provider


def _options(onnxruntime: Any, n_threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # errors; what matters comes as an exception
    # Threads spin for a moment before they sleep, as ONNX Runtime has it: waking them for each of
    # some hundred steps costs a third of a click (DECISIONS.md 28).
    return options


def _providers(chosen: Provider) -> list[object]:
    cpu = _ORT_NAMES[Provider.CPU]
    if chosen is Provider.CUDA:
        return [(_ORT_NAMES[chosen], _CUDA_OPTIONS), cpu]  # the CPU for shape arithmetic
    return [cpu]
