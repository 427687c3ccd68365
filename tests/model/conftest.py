"""One random tiny model, shared: making it is the slowest part."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="seem_model needs the `model` extra")
torch.set_num_threads(1)  # on a busy machine threads that wait for each other cost seconds


@pytest.fixture(scope="session")
def tiny():
    from seem_model.config import TINY
    from seem_model.seem import Seem

    torch.manual_seed(0)
    return Seem(TINY).eval()


@pytest.fixture(scope="session")
def features(tiny):
    torch.manual_seed(1)
    with torch.inference_mode():
        return tiny.encode(torch.randn(1, 3, 64, 96))


@pytest.fixture(scope="session")
def letters():
    from seem_model.config import TINY
    from seem_model.text import load_text_encoder

    return load_text_encoder(TINY)


@pytest.fixture
def clicks():
    """Prompts of n objects in the frame of `features`: one positive point each."""
    from seem_model.config import TINY
    from seem_model.export import empty_prompts
    from seem_wire import pixels
    from seem_wire.prompts import ObjectPrompt, Point

    def make(*places):
        frame = pixels.Frame(1.0, 1.0, 64, 96)
        drawn = [pixels.rasterise(ObjectPrompt((Point(*xy),)), frame) for xy in places]
        empty = empty_prompts(1, len(places), 1, 1, 64, 96, TINY)
        return empty._replace(
            points=torch.stack([torch.from_numpy(one.points) for one in drawn])[None],
            maps=torch.stack([torch.from_numpy(one.maps) for one in drawn])[None],
        )

    return make


@pytest.fixture
def dataset(tmp_path):
    """A COCO-style folder of six images, each with a named square and a nameless disk."""
    import json

    import numpy as np
    from PIL import Image
    from pycocotools import mask as coco_mask

    rows, columns = np.mgrid[:80, :100]
    images, annotations = [], []
    for number in range(6):
        square = (rows > 10) & (rows < 50) & (columns > 8 + number) & (columns < 45)
        disk = (rows - 50) ** 2 + (columns - 75) ** 2 < 18**2
        picture = np.full((80, 100, 3), 60, np.uint8)
        picture[square] = (220, 40, 40)
        picture[disk] = (40, 60, 220)
        name = f"{number}.png"
        Image.fromarray(picture).save(tmp_path / name)
        images.append(
            {"id": number, "file_name": name, "source": "made", "exhaustive": True}
            | {"width": 100, "height": 80}
        )
        for category, mask in ((1, square), (2, disk)):
            rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
            rle["counts"] = rle["counts"].decode()
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": category}
                | {"segmentation": rle, "kind": "instance", "area": int(mask.sum())}
            )
    categories = [{"id": 1, "name": "square"}, {"id": 2, "name": "object"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    return tmp_path


@pytest.fixture
def make_image(tmp_path):
    """An annotated image of a source, from (name, mask) of all that is in it."""
    import numpy as np
    from PIL import Image
    from pycocotools import mask as coco_mask

    from seem_model.train.dataset import SourceImage

    def make(*things, source="made", exhaustive=True):
        height, width = things[0][1].shape
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
        Image.fromarray(np.full((height, width, 3), 60, np.uint8)).save(path)
        annotations = tuple(
            {"name": name, "kind": "instance"}
            | {"segmentation": coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))}
            for name, mask in things
        )
        return SourceImage(path, source, exhaustive, annotations)

    return make


@pytest.fixture
def make_trainer(dataset, tmp_path, letters):
    """A tiny model and what trains it on the folder `dataset`."""
    from dataclasses import replace

    from seem_model.config import TINY
    from seem_model.seem import Seem
    from seem_model.train.dataset import read_folder
    from seem_model.train.loop import Trainer
    from seem_model.train.recipe import RECIPES
    from seem_model.train.vocabulary import Vocabulary

    def make(lessons=None, team=None, **changes):
        torch.manual_seed(0)
        recipe = replace(RECIPES["tiny"], held_out_share=0.3, **changes)
        vocabulary = Vocabulary(["square"], letters, others=["zebra"])
        images, folder = read_folder(dataset), tmp_path / "run"
        return Trainer(Seem(TINY), vocabulary, images, recipe, folder, lessons=lessons, team=team)

    return make
