"""A published variant that is small enough for tests: the true code at a few thousand weights."""

import torch

from seem_model.published import PublishedSeem, QueryPrompts, prompts_of_nothing
from seem_model.variants import FocalNetConfig, Sizes, Variant, Wiring

SIZES = Sizes(
    hidden=32,
    heads=2,
    feedforward=32,
    encoder_layers=1,
    decoder_layers=3,
    object_queries=9,
    memory_tokens=4,
    text_ids=64,
    text_layers=1,
)


def small_variant(wiring=Wiring.V1):
    return Variant(
        f"small_{wiring}",
        wiring,
        FocalNetConfig(8, (1, 1, 1, 1), focal_levels=2, depthwise=True),
        sizes=SIZES,
    )


def small_model(wiring=Wiring.V1, seed=0):
    torch.manual_seed(seed)
    model = PublishedSeem(small_variant(wiring)).eval()
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2 and "norm" not in name:  # zero biases would hide mistakes
            torch.nn.init.normal_(parameter, std=0.1)
    return model.requires_grad_(requires_grad=False)


def features_of(model, seed=0, size=(64, 96), batch=1):
    generator = torch.Generator().manual_seed(seed)
    return model.encode(torch.randn(batch, 3, *size, generator=generator))


def marked(features, xy, labels, **others) -> QueryPrompts:
    """One object with these pixels, the same for every draw."""
    points = torch.tensor(xy, dtype=torch.float32).expand(1, 1, 4, -1, 2)
    signs = torch.tensor(labels, dtype=torch.float32).expand(1, 1, 4, -1)
    nothing = prompts_of_nothing(features, sizes=SIZES)
    given = {"points": points, "labels": signs, "selector": torch.zeros(1, 1, dtype=torch.int64)}
    return nothing._replace(**(given | others))
