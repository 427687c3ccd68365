import onnx
import torch
from torch import nn
from torch.export import Dim

from seem_model.graph import OPSET, export_graph


class Double(nn.Module):
    def forward(self, x):
        return x * 2


def test_a_graph_has_the_names_and_free_sizes_that_were_asked_for_and_no_traces(tmp_path):
    file = tmp_path / "double.onnx"
    export_graph(
        Double(),
        (torch.zeros(2, 3),),
        file,
        inputs=["x"],
        outputs=["y"],
        shapes={"x": {0: Dim("rows")}},
    )

    graph = onnx.load(file)

    assert [value.name for value in graph.graph.input] == ["x"]
    assert [value.name for value in graph.graph.output] == ["y"]
    dimensions = graph.graph.input[0].type.tensor_type.shape.dim
    assert dimensions[0].dim_param
    assert dimensions[1].dim_value == 3
    assert graph.opset_import[0].version == OPSET
    assert not any(node.metadata_props or node.doc_string for node in graph.graph.node)
