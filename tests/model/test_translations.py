import onnxruntime
import pytest
import torch
from torch import nn

from seem_model.translations import TRANSLATIONS


def export(module, file):
    torch.onnx.export(
        module,
        (torch.zeros(3, 5),),
        file,
        opset_version=18,
        dynamo=True,
        verbose=False,
        custom_translation_table=dict(TRANSLATIONS),
    )


@pytest.mark.filterwarnings("ignore")
def test_gelu_is_one_operator_for_onnx_runtime_and_the_same_function(tmp_path):
    export(nn.GELU(), tmp_path / "gelu.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "gelu.onnx", options)
    x = torch.linspace(-6, 6, 15).reshape(3, 5)

    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})

    import onnx

    optimised = onnx.load(tmp_path / "optimised.onnx")
    assert [node.op_type for node in optimised.graph.node] == ["Gelu"]
    torch.testing.assert_close(torch.from_numpy(y), nn.functional.gelu(x), atol=1e-6, rtol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_the_approximate_gelu_is_refused(tmp_path):
    with pytest.raises(Exception, match="GELU"):
        export(nn.GELU("tanh"), tmp_path / "gelu.onnx")
