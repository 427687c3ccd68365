import pytest
import torch

from seem_model.clip_text import LanguageEncoder, LanguageSize
from seem_model.graph import export_graph

SIZE = LanguageSize(n_ids=40, context=12, width=16, depth=2, heads=4, joint_width=8)
END = SIZE.n_ids - 1


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    encoder = LanguageEncoder(SIZE).eval().requires_grad_(requires_grad=False)
    for name, parameter in encoder.named_parameters():
        if parameter.ndim < 2 and name != "logit_scale":
            parameter.data += 0.1 * torch.randn_like(parameter)
    return encoder


@pytest.fixture(scope="module")
def ids():
    torch.manual_seed(1)
    ids = torch.randint(0, END, (3, 9))
    ids[0, 8] = ids[1, 4] = ids[2, 6] = END
    return ids


def in_double(encoder):
    double = LanguageEncoder(SIZE).double()
    double.load_state_dict(encoder.state_dict())
    return double.eval()


def written_out(encoder, ids):
    """The same encoder by torch's own layers, from the state it has."""
    layer = torch.nn.TransformerEncoderLayer(
        SIZE.width,
        SIZE.heads,
        4 * SIZE.width,
        0.0,
        batch_first=True,
        norm_first=True,
        layer_norm_eps=1e-12,
    )
    layer.activation = lambda x: x * torch.sigmoid(1.702 * x)
    stack = torch.nn.TransformerEncoder(layer, SIZE.depth, enable_nested_tensor=False)
    stack = stack.double().eval()
    state = {name: value.double() for name, value in encoder.lang_encoder.state_dict().items()}
    renamed = {"attn": "self_attn", "ln_1": "norm1", "ln_2": "norm2"}
    renamed |= {"mlp.c_fc": "linear1", "mlp.c_proj": "linear2", "resblocks": "layers"}
    for name in [name for name in state if name.startswith("resblocks")]:
        new = name
        for old, other in renamed.items():
            new = new.replace(old, other)
        state[new] = state.pop(name)
    embedding = state.pop("token_embedding.weight")[ids]
    x = embedding + state.pop("positional_embedding")[: ids.shape[1]]
    last = [state.pop(f"ln_final.{part}") for part in ("weight", "bias")]
    stack.load_state_dict(state)
    causal = torch.nn.Transformer.generate_square_subsequent_mask(ids.shape[1], dtype=torch.double)
    x = stack(x, mask=causal, is_causal=True)
    x = torch.nn.functional.layer_norm(x, (SIZE.width,), *last, 1e-12)
    return x @ encoder.lang_proj.double()


def test_states_are_those_of_a_causal_pre_norm_transformer(encoder, ids):
    expected = written_out(encoder, ids)
    torch.testing.assert_close(in_double(encoder).states(ids), expected, atol=1e-12, rtol=0)


def test_a_state_depends_on_no_later_id(encoder, ids):
    torch.testing.assert_close(encoder.states(ids)[:, :5], encoder.states(ids[:, :5]))
    assert not torch.allclose(encoder.states(ids)[:, 5:], encoder.states(ids.flip(1))[:, 5:])


def test_a_sentence_is_the_state_at_the_first_end(encoder, ids):
    states = encoder.states(ids)
    expected = torch.stack([states[0, 8], states[1, 4], states[2, 6]])
    torch.testing.assert_close(encoder.sentence(ids), expected)
    padded = torch.cat([ids, torch.full((3, 3), END)], 1)
    torch.testing.assert_close(encoder.sentence(padded), expected)


def test_it_works_in_double_precision(encoder, ids):
    states = in_double(encoder).states(ids)
    assert states.dtype == torch.float64
    torch.testing.assert_close(states.float(), encoder.states(ids), atol=1e-5, rtol=1e-5)


def test_layer_norms_have_the_small_epsilon(encoder):
    norms = [module for module in encoder.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert [norm.eps for norm in norms] == [1e-12] * (2 * SIZE.depth + 1)


def test_the_published_names_and_shapes():
    with torch.device("meta"):
        state = {name: tuple(x.shape) for name, x in LanguageEncoder().state_dict().items()}
    block = "lang_encoder.resblocks.11."
    assert state["lang_proj"] == (512, 512)
    assert state["logit_scale"] == ()
    assert state["lang_encoder.token_embedding.weight"] == (49408, 512)
    assert state["lang_encoder.positional_embedding"] == (77, 512)
    assert state[block + "attn.in_proj_weight"] == (1536, 512)
    assert state[block + "mlp.c_fc.weight"] == (2048, 512)
    assert state[block + "mlp.c_proj.bias"] == (512,)
    assert len(state) == 6 + 12 * 12


@pytest.fixture(scope="module")
def session(encoder, tmp_path_factory):
    onnxruntime = pytest.importorskip("onnxruntime")
    file = tmp_path_factory.mktemp("graph") / "text.onnx"
    tokens = torch.export.Dim("tokens", min=2, max=SIZE.context)
    example = torch.zeros(2, 5, dtype=torch.int64)
    shapes = {"ids": {0: torch.export.Dim("texts"), 1: tokens}}
    export_graph(encoder, (example,), file, inputs=["ids"], outputs=["states"], shapes=shapes)
    return onnxruntime.InferenceSession(file)


@pytest.mark.parametrize(("texts", "tokens"), [(1, 2), (3, 9), (1, 12)])
def test_the_exported_graph_gives_the_same_for_any_length(encoder, session, texts, tokens):
    torch.manual_seed(2)
    ids = torch.randint(0, SIZE.n_ids, (texts, tokens))
    (states,) = session.run(None, {"ids": ids.numpy()})
    torch.testing.assert_close(torch.from_numpy(states), encoder.states(ids), atol=1e-5, rtol=1e-5)
