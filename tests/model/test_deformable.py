import onnxruntime
import pytest
import torch
from encoder_parts import filled, pictures, worst
from torch.export import Dim

from seem_model.deformable import DeformableAttention, DeformablePixelDecoder
from seem_model.graph import export_graph

CHANNELS = [4, 6, 8, 10]


def small():
    return filled(DeformablePixelDecoder(CHANNELS, 32, heads=4, layers=2, feedforward=8))


def maps(batch=2, rows=2, columns=3):
    """Of an image of 32 `rows` x 32 `columns` pixels."""
    return [
        pictures(batch, c, rows * n, columns * n)
        for c, n in zip(CHANNELS, (8, 4, 2, 1), strict=True)
    ]


def flat(pyramid):
    return [*pyramid.scales, pyramid.mask_features]


class Wrapped(torch.nn.Module):
    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, features):
        return tuple(flat(self.decoder(features)))


def test_gives_scales_coarse_to_fine_and_mask_features_at_stride_4():
    assert [tuple(x.shape) for x in flat(small()(maps()))] == [
        (2, 32, 2, 3),
        (2, 32, 4, 6),
        (2, 32, 8, 12),
        (2, 32, 16, 24),
    ]


def test_has_the_published_names():
    shapes = {name: tuple(x.shape) for name, x in small().state_dict().items()}
    assert shapes["input_proj.0.0.weight"] == (32, 10, 1, 1)  # the coarsest map first
    assert shapes["transformer.level_embed"] == (3, 32)
    assert shapes["mask_features.weight"] == (32, 32, 1, 1)
    layer = "transformer.encoder.layers.1"
    assert shapes[f"{layer}.self_attn.sampling_offsets.weight"] == (4 * 3 * 4 * 2, 32)
    assert shapes[f"{layer}.self_attn.attention_weights.bias"] == (4 * 3 * 4,)
    assert {
        "input_proj.2.1.bias",
        f"{layer}.self_attn.value_proj.weight",
        f"{layer}.self_attn.output_proj.bias",
        f"{layer}.linear2.weight",
        f"{layer}.norm2.weight",
        "adapter_1.norm.weight",
        "layer_1.weight",
    } <= set(shapes)


def test_pictures_of_a_batch_do_not_touch():
    decoder, features = small(), maps()
    alone = [flat(decoder([x[i : i + 1] for x in features])) for i in range(2)]
    assert worst(flat(decoder(features)), map(torch.cat, zip(*alone, strict=True))) < 1e-5


def test_works_in_double_precision():
    decoder, features = small(), maps()
    single = flat(decoder(features))
    doubled = flat(decoder.double()([x.double() for x in features]))
    assert {x.dtype for x in doubled} == {torch.float64}
    assert worst(single, doubled) < 1e-4


def points_of(offset, *, weight=0.0):
    """Attention whose heads all look `offset` (x, y) cells away, and pass values on as they are."""
    module = DeformableAttention(8, 2)
    for parameter in module.parameters():
        parameter.data.zero_()
    module.sampling_offsets.bias.data = torch.tensor(offset).repeat(2 * 3 * 4)
    module.value_proj.weight.data = torch.eye(8)
    module.output_proj.weight.data = torch.eye(8)
    logits = torch.full((2, 3, 4), -1e9)
    logits[:, 0] = weight  # of the first map alone
    module.attention_weights.bias.data = logits.flatten()
    return module.eval()


def look(offset):
    """From the middle of a map of 3 x 5 that counts its cells: what is seen."""
    sizes = [(3, 5), (1, 1), (1, 1)]
    values = torch.zeros(1, 17, 8)
    values[0, :15] = torch.arange(15.0)[:, None]
    centre = torch.tensor([[2.5 / 5, 1.5 / 3]])
    return points_of(offset)(torch.zeros(1, 1, 8), centre, values, sizes)[0, 0, 0].item()


def test_a_point_is_counted_in_cells_of_the_map_it_falls_in():
    assert look([0.0, 0.0]) == 7
    assert abs(look([1.0, 0.0]) - 8) < 1e-5
    assert abs(look([-2.0, 1.0]) - 10) < 1e-5


def test_between_cells_values_mix_and_outside_they_are_zero():
    assert abs(look([0.5, 0.0]) - 7.5) < 1e-5
    assert abs(look([2.5, 0.0]) - 9 / 2) < 1e-5  # half of it hangs over the edge
    assert look([4.0, 0.0]) == 0


@pytest.mark.slow
def test_exported_decoder_runs_at_other_sizes(tmp_path):
    decoder = Wrapped(
        filled(DeformablePixelDecoder(CHANNELS, 32, heads=2, layers=1, feedforward=8))
    )
    batch, rows, columns = Dim("batch"), Dim("rows_32"), Dim("columns_32")
    shapes = [{0: batch, 2: n * rows, 3: n * columns} for n in (8, 4, 2)]
    file = tmp_path / "decoder.onnx"
    export_graph(
        decoder,
        (maps(),),
        file,
        inputs=list("abcd"),
        outputs=[],
        shapes={"features": [*shapes, {0: batch, 2: rows, 3: columns}]},
    )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for sizes in ((1, 3, 2), (3, 4, 4)):
        features = maps(*sizes)
        given = {name: x.numpy() for name, x in zip("abcd", features, strict=True)}
        assert worst(decoder(features), session.run(None, given)) < 1e-4
