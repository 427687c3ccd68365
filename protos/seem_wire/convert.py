"""Where proto messages and dataclasses meet; neither passes beyond this file.

`*_to_proto` and `*_from_proto` are each other's inverse. What comes from outside is never trusted:
whatever a message holds, the outcome is a checked value or an error of `seem_wire.errors`, and
nothing is allocated beyond the `Limits` on the way.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from seem_wire import rle, types
from seem_wire.errors import (
    Fault,
    ImageTooLarge,
    Internal,
    InvalidValue,
    LimitExceeded,
    SeemError,
    UnknownCommand,
    UnknownReply,
)
from seem_wire.prompts import Box, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble
from seem_wire.v1 import seem_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

ERROR_METADATA_KEY = "seem-error-bin"
"""The trailing metadata of a failed unary call that holds the serialised Error."""

MAX_MASK_CHARACTERS = 4 * 1024**2
"""Longest run lengths read in one command: those of 4 megapixels of pure noise."""

_FAULTS = {
    Fault.CALLER: pb.FAULT_CALLER,
    Fault.CAPACITY: pb.FAULT_CAPACITY,
    Fault.SERVER: pb.FAULT_SERVER,
}
_FAULTS_BACK = {number: fault for fault, number in _FAULTS.items()}

_SEGMENT_KINDS = {
    types.SegmentKind.PANOPTIC: pb.SEGMENT_KIND_PANOPTIC,
    types.SegmentKind.INSTANCE: pb.SEGMENT_KIND_INSTANCE,
    types.SegmentKind.SEMANTIC: pb.SEGMENT_KIND_SEMANTIC,
}
_SEGMENT_KINDS_BACK = {number: kind for kind, number in _SEGMENT_KINDS.items()} | {
    pb.SEGMENT_KIND_UNSPECIFIED: types.SegmentKind.PANOPTIC
}


# --- commands


def command_to_proto(command: types.Command) -> pb.Command:  # noqa: C901, PLR0912  (a case a kind)
    """The message that carries a command."""
    message = pb.Command(seq=command.seq, session_id=command.session_id)
    match command:
        case types.OpenVideo():
            message.open.CopyFrom(pb.Open(video=pb.VideoSubject(), client=command.client))
        case types.OpenImage():
            message.open.CopyFrom(pb.Open(image=pb.ImageSubject(), client=command.client))
        case types.SetImage():
            message.set_image.image.CopyFrom(_image_to_proto(command.image))
        case types.Prompt():
            message.prompt.CopyFrom(_prompt_to_proto(command))
        case types.Frame():
            image = _image_to_proto(command.image)
            message.frame.CopyFrom(pb.Frame(index=command.index, image=image))
        case types.Propagate():
            following = pb.Propagate(frame=command.frame, source=command.source)
            message.propagate.CopyFrom(following)
        case types.Stop():
            message.stop.SetInParent()
        case types.Undo():
            message.undo.CopyFrom(pb.Undo(object_id=command.object_id))
        case types.Redo():
            message.redo.CopyFrom(pb.Redo(object_id=command.object_id))
        case types.Clear():
            message.clear.SetInParent()
        case types.RemoveObject():
            message.remove_object.object_id = command.object_id
        case types.Release():
            message.release.SetInParent()
        case types.Everything():
            message.everything.CopyFrom(_question_to_proto(command.question))
        case types.Choose():
            choice = pb.Choose(object_id=command.object_id, hypothesis=command.hypothesis)
            message.choose.CopyFrom(choice)
        case types.Attach():
            message.attach.CopyFrom(
                pb.Attach(
                    session_id=command.resumed,
                    after_seq=command.after_seq,
                    masks=command.masks,
                    waiting=command.waiting,
                )
            )
    return message


def command_from_proto(
    message: pb.Command, limits: types.Limits = types.Limits()
) -> types.Command | types.Failed:
    """The command in a message, or the reply that refuses it; never raises."""
    try:
        return _command_from_proto(message, limits)
    except SeemError as error:
        return types.Failed.of(message.seq, error)


def _one_object(message: pb.Undo | pb.Redo) -> int | None:
    return message.object_id if message.HasField("object_id") else None


def _command_from_proto(  # noqa: C901, PLR0912  (a case a kind)
    message: pb.Command, limits: types.Limits
) -> types.Command:
    seq, session = message.seq, message.session_id
    match message.WhichOneof("kind"):
        case "open" if message.open.WhichOneof("subject") == "image":
            return types.OpenImage(seq, message.open.client, session_id=session)
        case "open" if message.open.WhichOneof("subject") == "video":
            return types.OpenVideo(seq, message.open.client, session_id=session)
        case "frame":
            image = _image_from_proto(message.frame.image, limits)
            return types.Frame(seq, message.frame.index, image, session_id=session)
        case "propagate":
            to, source = message.propagate.frame, message.propagate.source
            return types.Propagate(seq, to, source, session_id=session)
        case "stop":
            return types.Stop(seq, session_id=session)
        case "set_image":
            image = _image_from_proto(message.set_image.image, limits)
            return types.SetImage(seq, image, session_id=session)
        case "prompt":
            return _prompt_from_proto(message, limits)
        case "undo":
            return types.Undo(seq, _one_object(message.undo), session_id=session)
        case "redo":
            return types.Redo(seq, _one_object(message.redo), session_id=session)
        case "clear":
            return types.Clear(seq, session_id=session)
        case "remove_object":
            return types.RemoveObject(seq, message.remove_object.object_id, session_id=session)
        case "release":
            return types.Release(seq, session_id=session)
        case "everything":
            question = _question_from_proto(message.everything, limits)
            return types.Everything(seq, question, session_id=session)
        case "choose":
            chosen = message.choose
            return types.Choose(seq, chosen.object_id, chosen.hypothesis, session_id=session)
        case "attach":
            attach = message.attach
            return types.Attach(
                seq,
                attach.session_id,
                attach.after_seq,
                attach.masks,
                tuple(attach.waiting),
                session_id=session,
            )
        case kind:
            named = "no kind that this server knows" if kind is None else f"an unknown {kind}"
            raise UnknownCommand(f"Command {seq} has {named}.")


def _prompt_to_proto(command: types.Prompt) -> pb.Prompt:
    return pb.Prompt(
        objects=map(_object_to_proto, command.objects),
        predict=command.predict,
        hypotheses=command.hypotheses,
        frame=command.frame,
    )


def _prompt_from_proto(message: pb.Command, limits: types.Limits) -> types.Prompt:
    prompt = message.prompt
    return types.Prompt(
        message.seq,
        _objects_from_proto(prompt.objects, limits),
        prompt.predict if prompt.HasField("predict") else True,
        prompt.hypotheses,
        prompt.frame if prompt.HasField("frame") else None,
        session_id=message.session_id,
    )


def segment_to_proto(request: types.Segment) -> pb.SegmentRequest:
    """The message that carries a request without a session."""
    objects = map(_object_to_proto, request.objects)
    question = request.question
    return pb.SegmentRequest(
        image=_image_to_proto(request.image),
        objects=objects,
        everything=None if question is None else _question_to_proto(question),
    )


def segment_from_proto(
    message: pb.SegmentRequest, limits: types.Limits = types.Limits()
) -> types.Segment:
    """The request in a message.

    Raises:
        SeemError: The request is faulty; which leaf of the tree says how.
    """
    image = _image_from_proto(message.image, limits)
    objects = _objects_from_proto(message.objects, limits)
    if not message.HasField("everything"):
        return types.Segment(image, objects)
    return types.Segment(image, objects, _question_from_proto(message.everything, limits))


# --- images and prompts


def _image_to_proto(image: types.ImageSource) -> pb.Image:
    if isinstance(image, types.ImageBytes):
        return pb.Image(encoded=image.data)
    return pb.Image(content_hash=image.content_hash)


def _image_from_proto(message: pb.Image, limits: types.Limits) -> types.ImageSource:
    if message.WhichOneof("source") == "content_hash":
        return types.ImageKey(message.content_hash)
    if len(message.encoded) > limits.max_image_bytes:
        raise ImageTooLarge(
            f"The image has {len(message.encoded)} bytes; "
            f"this server takes {limits.max_image_bytes}."
        )
    return types.ImageBytes(message.encoded)  # refuses none at all


def _object_to_proto(one: types.PromptedObject) -> pb.ObjectPrompt:
    prompt = one.prompt
    message = pb.ObjectPrompt(
        object_id=one.object_id,
        points=[pb.Point(x=p.x, y=p.y, negative=not p.positive) for p in prompt.points],
        box=_box_to_proto(prompt.box),
        scribbles=map(_scribble_to_proto, prompt.scribbles),
        mask=_mask_to_proto(prompt.mask) if prompt.mask else None,
        text=prompt.text,
        negative_boxes=map(_drawn_to_proto, prompt.negative_boxes),
        lassos=map(_lasso_to_proto, prompt.lassos),
    )
    if one.example:
        message.example.image.CopyFrom(_image_to_proto(one.example.image))
        message.example.mask.CopyFrom(_mask_to_proto(one.example.mask))
    return message


def _objects_from_proto(
    messages: Sequence[pb.ObjectPrompt], limits: types.Limits
) -> tuple[types.PromptedObject, ...]:
    """The prompts of a command, checked against `limits` before anything is allocated."""
    _check_limit("objects", len(messages), limits.max_objects)
    for message in messages:
        _check_limit("points for an object", _n_points(message), limits.max_points)
        _check_limit("characters of text", len(message.text), limits.max_text_characters)
    masks = [m.mask for m in messages] + [m.example.mask for m in messages]
    pixels = sum(mask.height * mask.width for mask in masks)
    _check_limit("mask pixels", pixels, limits.max_mask_pixels)
    characters = sum(len(mask.counts) for mask in masks)
    _check_limit("characters of run lengths", characters, MAX_MASK_CHARACTERS)
    return tuple(_object_from_proto(message, limits) for message in messages)


def _n_points(message: pb.ObjectPrompt) -> int:
    """As `ObjectPrompt.n_points`, before anything is made of the message."""
    n_vertices = sum(len(scribble.xy) for scribble in message.scribbles) // 2
    n_corners = sum(len(lasso.xy) for lasso in message.lassos) // 2
    return len(message.points) + n_vertices + n_corners + 2 * len(message.negative_boxes)


def _object_from_proto(message: pb.ObjectPrompt, limits: types.Limits) -> types.PromptedObject:
    prompt = ObjectPrompt(
        points=tuple(Point(p.x, p.y, positive=not p.negative) for p in message.points),
        box=_box_from_proto(message.box) if message.HasField("box") else None,
        scribbles=tuple(map(_scribble_from_proto, message.scribbles)),
        mask=_mask_from_proto(message.mask, limits) if message.HasField("mask") else None,
        text=message.text if message.HasField("text") else None,
        negative_boxes=tuple(map(_box_from_proto, message.negative_boxes)),
        lassos=tuple(map(_lasso_from_proto, message.lassos)),
    )
    example = None
    if message.HasField("example"):
        image = _image_from_proto(message.example.image, limits)
        example = types.Example(image, _mask_from_proto(message.example.mask, limits))
    return types.PromptedObject(message.object_id, prompt, example)


def _question_to_proto(question: types.Question) -> pb.Everything:
    return pb.Everything(
        kind=_SEGMENT_KINDS[question.kind],
        vocabulary=question.vocabulary,
        threshold=question.threshold,
    )


def _question_from_proto(message: pb.Everything, limits: types.Limits) -> types.Question:
    kind = _SEGMENT_KINDS_BACK.get(message.kind)
    if kind is None:
        raise InvalidValue(f"There is no kind of segments of the number {message.kind}.")
    _check_limit("names in its vocabulary", len(message.vocabulary), limits.max_names)
    for name in message.vocabulary:
        _check_limit("characters in a name", len(name), limits.max_text_characters)
    return types.Question(
        kind,
        vocabulary=tuple(message.vocabulary) or None,
        threshold=message.threshold if message.HasField("threshold") else None,
    )


def _check_limit(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise LimitExceeded(f"The command has {count} {what}; this server takes {limit}.")


def _scribble_to_proto(scribble: Scribble) -> pb.Scribble:
    return pb.Scribble(xy=_flat(scribble.points), negative=not scribble.positive)


def _scribble_from_proto(message: pb.Scribble) -> Scribble:
    return Scribble(_vertices("scribble", message.xy), positive=not message.negative)


def _lasso_to_proto(lasso: Lasso) -> pb.Lasso:
    return pb.Lasso(xy=_flat(lasso.points), negative=not lasso.positive)


def _lasso_from_proto(message: pb.Lasso) -> Lasso:
    return Lasso(_vertices("lasso", message.xy), positive=not message.negative)


def _flat(vertices: tuple[tuple[float, float], ...]) -> list[float]:
    return [coordinate for vertex in vertices for coordinate in vertex]


def _vertices(what: str, xy: Sequence[float]) -> tuple[tuple[float, float], ...]:
    if len(xy) % 2:
        raise InvalidValue(f"A {what} has an x without its y.")
    return tuple(zip(xy[0::2], xy[1::2], strict=True))


def _box_to_proto(box: Box | None) -> pb.Box | None:
    return _drawn_to_proto(box) if box else None


def _drawn_to_proto(box: Box) -> pb.Box:
    return pb.Box(x0=box.x0, y0=box.y0, x1=box.x1, y1=box.y1)


def _box_from_proto(message: pb.Box) -> Box:
    return Box(message.x0, message.y0, message.x1, message.y1)


def _rle_to_proto(mask: rle.Rle) -> pb.Rle:
    return pb.Rle(height=mask.height, width=mask.width, counts=mask.counts)


def _rle_from_proto(message: pb.Rle) -> rle.Rle:
    return rle.Rle(message.height, message.width, message.counts)


def _mask_to_proto(prompt: MaskPrompt) -> pb.Rle:
    return _rle_to_proto(rle.encode(prompt.mask))


def _mask_from_proto(message: pb.Rle, limits: types.Limits) -> MaskPrompt:
    return MaskPrompt(rle.decode(_rle_from_proto(message), max_pixels=limits.max_mask_pixels))


# --- replies


def reply_to_proto(reply: types.Reply) -> pb.Reply:
    """The message that carries a reply."""
    message = pb.Reply(seq=reply.seq)
    match reply:
        case types.Opened():
            message.opened.session_id = reply.session_id
            message.opened.model.CopyFrom(model_card_to_proto(reply.model))
        case types.Attached():
            message.attached.session.CopyFrom(session_card_to_proto(reply.session))
            message.attached.model.CopyFrom(model_card_to_proto(reply.model))
            message.attached.objects.extend(map(_object_mask_to_proto, reply.objects))
        case types.ImageSet():
            message.image_set.CopyFrom(_image_set_to_proto(reply))
        case types.Masks():
            message.masks.CopyFrom(_masks_to_proto(reply))
        case types.Segments():
            message.segments.CopyFrom(_segments_to_proto(reply))
        case types.Done():
            message.done.SetInParent()
        case types.Failed():
            message.error.CopyFrom(_failed_to_proto(reply))
        case types.SupersededBy():
            message.superseded.by_seq = reply.by_seq
    return message


def reply_from_proto(message: pb.Reply) -> types.Reply:
    """The reply in a message.

    Raises:
        UnknownReply: It is of no kind that this client knows.
        SeemError: It holds impossible values.
    """
    seq = message.seq
    match message.WhichOneof("kind"):
        case "opened":
            card = model_card_from_proto(message.opened.model)
            return types.Opened(seq, message.opened.session_id, card)
        case "attached":
            return types.Attached(
                seq,
                session_card_from_proto(message.attached.session),
                model_card_from_proto(message.attached.model),
                tuple(map(_object_mask_from_proto, message.attached.objects)),
            )
        case "image_set":
            return _image_set_from_proto(seq, message.image_set)
        case "masks":
            return _masks_from_proto(seq, message.masks)
        case "segments":
            return _segments_from_proto(seq, message.segments)
        case "done":
            return types.Done(seq)
        case "error":
            return _failed_from_proto(seq, message.error)
        case "superseded":
            return types.SupersededBy(seq, message.superseded.by_seq)
        case _:
            raise UnknownReply(f"The reply to command {seq} has no kind that this client knows.")


def segmented_to_proto(reply: types.Segmented) -> pb.SegmentReply:
    """The message that carries the answer to Segment."""
    return pb.SegmentReply(
        height=reply.size[0],
        width=reply.size[1],
        content_hash=reply.content_hash,
        objects=map(_object_mask_to_proto, reply.objects),
        timings=_timings_to_proto(reply.timings),
        cache_hit=reply.cache_hit,
        model_id=reply.model_id,
    )


def segmented_from_proto(message: pb.SegmentReply) -> types.Segmented:
    """The answer to Segment in a message. Raises a SeemError where its values are impossible."""
    return types.Segmented(
        content_hash=message.content_hash,
        size=(message.height, message.width),
        objects=tuple(map(_object_mask_from_proto, message.objects)),
        timings=_timings_from_proto(message.timings),
        cache_hit=message.cache_hit,
        model_id=message.model_id,
    )


def error_to_bytes(error: SeemError) -> bytes:
    """What a failed unary call carries as ERROR_METADATA_KEY."""
    return _failed_to_proto(types.Failed.of(0, error)).SerializeToString()


def error_from_bytes(data: bytes) -> SeemError:
    """The exception that a failed unary call carried, ready to be raised."""
    try:
        message = pb.Error.FromString(data)
    except DecodeError:
        return Internal("The server failed, and what it says of it cannot be read.")
    return _failed_from_proto(0, message).to_error()


def _image_set_to_proto(reply: types.ImageSet) -> pb.ImageSet:
    return pb.ImageSet(
        content_hash=reply.content_hash,
        height=reply.size[0],
        width=reply.size[1],
        cache_hit=reply.cache_hit,
        timings=_timings_to_proto(reply.timings),
    )


def _image_set_from_proto(seq: int, message: pb.ImageSet) -> types.ImageSet:
    return types.ImageSet(
        seq,
        content_hash=message.content_hash,
        size=(message.height, message.width),
        cache_hit=message.cache_hit,
        timings=_timings_from_proto(message.timings),
    )


def _masks_to_proto(reply: types.Masks) -> pb.Masks:
    return pb.Masks(
        objects=map(_object_mask_to_proto, reply.objects),
        removed_object_ids=reply.removed_object_ids,
        timings=_timings_to_proto(reply.timings),
        cache_hit=reply.cache_hit,
        model_id=reply.model_id,
        frame=reply.frame,
    )


def _masks_from_proto(seq: int, message: pb.Masks) -> types.Masks:
    return types.Masks(
        seq,
        objects=tuple(map(_object_mask_from_proto, message.objects)),
        removed_object_ids=tuple(message.removed_object_ids),
        timings=_timings_from_proto(message.timings),
        cache_hit=message.cache_hit,
        model_id=message.model_id,
        frame=message.frame if message.HasField("frame") else None,
    )


def _segments_to_proto(reply: types.Segments) -> pb.Segments:
    return pb.Segments(
        segments=map(_object_mask_to_proto, reply.segments),
        timings=_timings_to_proto(reply.timings),
        cache_hit=reply.cache_hit,
        model_id=reply.model_id,
    )


def _segments_from_proto(seq: int, message: pb.Segments) -> types.Segments:
    return types.Segments(
        seq,
        segments=tuple(map(_object_mask_from_proto, message.segments)),
        timings=_timings_from_proto(message.timings),
        cache_hit=message.cache_hit,
        model_id=message.model_id,
    )


def _object_mask_to_proto(mask: types.ObjectMask) -> pb.ObjectMask:
    return pb.ObjectMask(
        object_id=mask.object_id,
        rle=_rle_to_proto(mask.rle),
        score=mask.score,
        box=_box_to_proto(mask.box),
        area=mask.area,
        label=mask.label,
        label_probability=mask.label_probability,
        round=mask.round,
        changed=_box_to_proto(mask.changed),
        is_thing=mask.is_thing,
        presence=mask.presence,
        hypotheses=map(_hypothesis_to_proto, mask.hypotheses),
    )


def _object_mask_from_proto(message: pb.ObjectMask) -> types.ObjectMask:
    has = message.HasField
    return types.ObjectMask(
        object_id=message.object_id,
        rle=_rle_from_proto(message.rle),
        score=message.score,
        box=_box_from_proto(message.box) if has("box") else None,
        area=message.area,
        label=message.label if has("label") else None,
        label_probability=message.label_probability if has("label_probability") else None,
        round=message.round,
        changed=_box_from_proto(message.changed) if has("changed") else None,
        is_thing=message.is_thing if has("is_thing") else None,
        presence=message.presence if has("presence") else None,
        hypotheses=tuple(map(_hypothesis_from_proto, message.hypotheses)),
    )


def _hypothesis_to_proto(one: types.Hypothesis) -> pb.Hypothesis:
    return pb.Hypothesis(
        rle=_rle_to_proto(one.rle), score=one.score, box=_box_to_proto(one.box), area=one.area
    )


def _hypothesis_from_proto(message: pb.Hypothesis) -> types.Hypothesis:
    return types.Hypothesis(
        rle=_rle_from_proto(message.rle),
        score=message.score,
        box=_box_from_proto(message.box) if message.HasField("box") else None,
        area=message.area,
    )


_TIMINGS = tuple(one.name for one in fields(types.Timings))


def _timings_to_proto(timings: types.Timings) -> pb.Timings:
    return pb.Timings(**{name: getattr(timings, name) for name in _TIMINGS})


def _timings_from_proto(message: pb.Timings) -> types.Timings:
    return types.Timings(*(getattr(message, field.name) for field in fields(types.Timings)))


def _failed_to_proto(reply: types.Failed) -> pb.Error:
    return pb.Error(
        code=reply.code,
        message=reply.message,
        hint=reply.hint,
        fault=_FAULTS[reply.fault],
        retry_after_ms=reply.retry_after_ms,
    )


def _failed_from_proto(seq: int, message: pb.Error) -> types.Failed:
    return types.Failed(
        seq,
        code=message.code,
        message=message.message,
        hint=message.hint,
        fault=_FAULTS_BACK.get(message.fault, Fault.SERVER),
        retry_after_ms=message.retry_after_ms if message.HasField("retry_after_ms") else None,
    )


# --- cards


def model_card_to_proto(card: types.ModelCard) -> pb.ModelCard:
    """The message that says what a server runs."""
    return pb.ModelCard(
        model_id=card.model_id,
        name=card.name,
        variant=card.variant,
        capabilities=_capabilities_to_proto(card.capabilities),
        input_sizes=[pb.Size(height=height, width=width) for height, width in card.input_sizes],
        licences=[pb.Licence(**asdict(licence)) for licence in card.licences],
        provider=card.provider,
        vocabulary=card.vocabulary,
        server_version=card.server_version,
    )


def model_card_from_proto(message: pb.ModelCard) -> types.ModelCard:
    """What a server runs, as its message says."""
    return types.ModelCard(
        model_id=message.model_id,
        name=message.name,
        variant=message.variant,
        capabilities=_capabilities_from_proto(message.capabilities),
        input_sizes=tuple((size.height, size.width) for size in message.input_sizes),
        licences=tuple(
            types.Licence(one.covers, one.licence, one.source) for one in message.licences
        ),
        provider=message.provider,
        vocabulary=tuple(message.vocabulary),
        server_version=message.server_version,
    )


def _capabilities_to_proto(offered: types.Capabilities) -> pb.Capabilities:
    return pb.Capabilities(
        prompts=sorted(offered.prompts),
        commands=sorted(offered.commands),
        limits=pb.Limits(**asdict(offered.limits)),
    )


def _capabilities_from_proto(message: pb.Capabilities) -> types.Capabilities:
    """What is offered; prompt kinds that this client does not know are of no use to it."""
    known = {kind.value for kind in types.PromptKind}
    limits = (getattr(message.limits, field.name) for field in fields(types.Limits))
    return types.Capabilities(
        prompts=frozenset(types.PromptKind(name) for name in message.prompts if name in known),
        commands=frozenset(message.commands),
        limits=types.Limits(*limits),
    )


def session_card_to_proto(card: types.SessionCard) -> pb.SessionCard:
    """The message that says what a session holds."""
    height, width = card.size or (0, 0)
    return pb.SessionCard(
        session_id=card.session_id,
        model_id=card.model_id,
        content_hash=card.content_hash or "",
        height=height,
        width=width,
        object_ids=card.object_ids,
        undo_depth=card.undo_depth,
        redo_depth=card.redo_depth,
        last_seq=card.last_seq,
        n_frames=card.n_frames,
    )


def session_card_from_proto(message: pb.SessionCard) -> types.SessionCard:
    """What a session holds, as its message says."""
    return types.SessionCard(
        session_id=message.session_id,
        model_id=message.model_id,
        content_hash=message.content_hash or None,
        size=(message.height, message.width) if message.height else None,
        object_ids=tuple(message.object_ids),
        undo_depth=message.undo_depth,
        redo_depth=message.redo_depth,
        last_seq=message.last_seq,
        n_frames=message.n_frames,
    )
