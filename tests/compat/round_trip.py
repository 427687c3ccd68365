"""What a program gets from a server through the client alone: round_trip.py ADDRESS PHOTO.

It prints the same for every version of gRPC, protobuf and NumPy that the client can live with;
`.ci/check-client` runs it under the oldest and the newest, with nothing else installed.
"""

from __future__ import annotations

import asyncio
import json
import sys

import seem_client


def waiting(address: str, photo: str) -> dict[str, object]:
    """A session, a call without one, a refusal and a video."""
    told: dict[str, object] = {}
    with seem_client.connect(address) as client:
        told["model"] = client.model().model_id
        with client.open(photo) as session:
            clicked = session.click(200, 150)
            told["click"], told["label"] = clicked.rle.counts, clicked.label
            told["corners"] = len(clicked.polygons[0].outline)
            told["boxed"] = session.box(50, 40, 300, 260, object_id=2).rle.counts
            told["rough"] = session.mask(clicked.mask, object_id=3).rle.counts
            told["undone"] = session.undo() is None
            try:
                session.click(-9, -9)
            except seem_client.errors.PointOutsideImage as refusal:
                told["refused"] = refusal.code
        told["alone"] = client.segment(photo, points=[(200, 150, True)]).rle.counts
        with client.track([photo, photo]) as video:
            video.click(200, 150, frame=0)
            told["followed"] = [one.predictions[1].rle.counts for one in video.propagate()]
    return told


async def awaited(address: str, photo: str) -> dict[str, object]:
    """A session that is awaited."""
    async with seem_client.connect_async(address) as client, client.open(photo) as session:
        return {"awaited": (await session.click(200, 150)).rle.counts}


if __name__ == "__main__":
    json.dump(waiting(*sys.argv[1:]) | asyncio.run(awaited(*sys.argv[1:])), sys.stdout)
