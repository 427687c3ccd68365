from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seem_server.runtime import load
from seem_server.runtime.backend import Interrupted
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.load import Brake, Provider, open_graph, open_tokenizer
from seem_server.runtime.manifest import IMAGE_ENCODER, TOKENIZER
from seem_wire.errors import BundleInvalid, ProviderNotActive


@pytest.fixture(scope="module")
def bundle():
    return read_bundle("tiny")


@pytest.fixture(scope="module")
def graph(bundle):
    return open_graph(bundle.path(IMAGE_ENCODER), provider=Provider.CPU, n_threads=1)


def has_cuda():
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def test_the_runtime_is_not_loaded_before_something_is():
    program = "import seem_server.runtime.onnx_backend, sys; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


def test_a_graph_tells_its_inputs_outputs_and_where_it_runs(graph, bundle):
    assert graph.inputs == ("image",)
    assert set(graph.outputs) >= set(bundle.manifest.features)
    assert graph.provider is Provider.CPU


def test_a_graph_gives_the_outputs_that_were_asked_for_in_that_order(graph, bundle):
    wanted = tuple(reversed(bundle.manifest.features))
    image = {"image": np.zeros((1, 3, 64, 64), np.float32)}
    tensors = graph.run(image, {}, wanted)
    assert [one.numpy().shape for one in tensors] == [
        graph.run(image, {}, (name,))[0].numpy().shape for name in wanted
    ]


def test_a_tensor_knows_its_bytes(graph):
    tensor = graph.run({"image": np.zeros((1, 3, 64, 64), np.float32)}, {}, ("values_32",))[0]
    assert tensor.nbytes == tensor.numpy().nbytes > 0


def test_a_pulled_brake_ends_runs_and_a_released_one_lets_them_come_out_the_same(bundle):
    brake = Brake()
    graph = open_graph(bundle.path(IMAGE_ENCODER), provider=Provider.CPU, n_threads=1, brake=brake)
    image = {"image": np.random.default_rng(0).random((1, 3, 64, 64), np.float32)}
    before = graph.run(image, {}, ("values_32",))[0].numpy()
    brake.pull()
    for _ in range(2):
        with pytest.raises(Interrupted):
            graph.run(image, {}, ("values_32",))
    brake.release()
    assert (graph.run(image, {}, ("values_32",))[0].numpy() == before).all()


def test_a_run_that_fails_by_itself_was_not_interrupted(graph):
    with pytest.raises(load.graph_errors()):
        graph.run({}, {}, ("values_32",))


def test_an_array_that_was_put_comes_back(graph):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = graph.put(array)
    array[:] = 0
    assert tensor.numpy().ravel().tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.skipif(has_cuda(), reason="this machine has what is asked for")
def test_a_provider_that_is_not_there_is_refused_with_those_that_are(bundle):
    with pytest.raises(ProviderNotActive, match=r"cuda was asked for.*CPUExecutionProvider"):
        open_graph(bundle.path(IMAGE_ENCODER), provider=Provider.CUDA, n_threads=1)


class DeadSession:
    """What ONNX Runtime gives where CUDA is built in and does not start."""

    def __init__(self, _path, _options, **asked):
        self.providers = asked["providers"][-1:]

    def disable_fallback(self):
        pass

    def get_providers(self):
        return self.providers

    def get_inputs(self):
        return []

    get_outputs = get_inputs


@pytest.fixture
def dead_cuda(monkeypatch):
    import onnxruntime

    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setattr(onnxruntime, "InferenceSession", DeadSession)
    monkeypatch.delattr(onnxruntime, "preload_dlls", raising=False)


@pytest.mark.usefixtures("dead_cuda")
def test_a_provider_that_does_not_start_is_refused(bundle):
    with pytest.raises(ProviderNotActive, match="active are CPUExecutionProvider"):
        open_graph(bundle.path(IMAGE_ENCODER), provider=Provider.CUDA, n_threads=1)


@pytest.mark.usefixtures("dead_cuda")
def test_where_anything_will_do_the_cpu_takes_over_with_a_warning(bundle, caplog):
    made = open_graph(bundle.path(IMAGE_ENCODER), provider=Provider.AUTO, n_threads=1)
    assert made.provider is Provider.CPU
    assert "does not start" in caplog.text


@pytest.mark.gpu
def test_cuda_runs_where_it_is(bundle):
    made = open_graph(bundle.path(IMAGE_ENCODER), provider=Provider.CUDA, n_threads=1)
    image = {"image": np.zeros((1, 3, 64, 64), np.float32)}
    assert np.isfinite(made.run(image, {}, ("values_32",))[0].numpy()).all()


def test_what_is_no_graph_is_refused(bundle):
    with pytest.raises(BundleInvalid, match=TOKENIZER):
        open_graph(bundle.path(TOKENIZER), provider=Provider.CPU, n_threads=1)


def test_a_tokenizer_cuts_and_does_not_pad(bundle):
    tokenizer = open_tokenizer(bundle.path(TOKENIZER), max_tokens=5)
    assert len(tokenizer.encode("a").ids) < 5
    assert len(tokenizer.encode("a b c d e f g h").ids) == 5


def test_what_is_no_tokenizer_is_refused(bundle):
    with pytest.raises(BundleInvalid, match=r"bundle\.json"):
        open_tokenizer(bundle.path("bundle.json"), max_tokens=5)


def test_only_this_module_imports_the_runtime():
    imports = re.compile(r"^ *(import|from) onnxruntime", re.MULTILINE)
    package = Path(load.__file__).parents[1]
    guilty = {path.name for path in package.rglob("*.py") if imports.search(path.read_text())}
    assert guilty == {"load.py"}
