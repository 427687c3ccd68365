"""Every fault that Seem tells its clients of: a stable code, whose fault it is, what to do.

    SeemError
    ├── CallerError ─────────── the request cannot be served as it is: change it
    │   ├── BadImage
    │   │   ├── ImageEmpty · ImageUnreadable · ImageTruncated · ImageTooLarge
    │   │   └── ImageUnknown
    │   ├── BadVideo
    │   │   ├── VideoUnreadable · VideoEmpty · FrameSizeChanged
    │   │   └── FrameGone · VideoReaderMissing
    │   ├── BadPrompt
    │   │   ├── PromptEmpty · OnlyNegativePrompts
    │   │   ├── CoordinateNotFinite · PointOutsideImage · BoxWithoutArea · LassoWithoutArea
    │   │   └── MaskUnreadable · MaskEmpty · MaskSizeMismatch
    │   ├── BadCommand
    │   │   ├── UnknownCommand · InvalidValue · BadSequence · LimitExceeded
    │   │   └── NotOffered · LibraryMissing
    │   ├── NotAllowed
    │   │   └── Unauthenticated · TooManyAttempts · PlaintextToken
    │   ├── OutOfOrder
    │   │   ├── AlreadyOpen · NoImage · NothingToUndo · NothingToRedo · NothingToChoose
    │   │   ├── OtherSubject · FrameOutOfOrder · NothingToFollow
    │   │   └── SessionMoved · ModelChanged · ReplyLost · OutOfPlace
    │   ├── NotFound
    │   │   └── UnknownSession · SessionExpired · UnknownObject · UnknownFrame
    │   ├── Withdrawn
    │   │   └── Superseded · Cancelled
    │   ├── BadCheckpoint
    │   │   ├── CheckpointNotFound · CheckpointUnreadable · CheckpointUnsafe · CheckpointNotFlat
    │   │   └── CheckpointUnknown · CheckpointMismatch · VariantNeeded
    │   └── ConversionRefused
    │       └── OutputTaken · ParityTooLow
    ├── CapacityError ───────── nothing is wrong with the request: try again later
    │   ├── Overloaded · DeadlineExceeded · ShuttingDown · Disconnected
    │   └── QuotaExceeded · StoreFailed · StoreFull · DiskFull
    └── ServerError ─────────── the server is at fault: tell its operator
        ├── BundleInvalid
        │   └── BundleNotFound · BundleFileMissing · BundleHashMismatch · BundleVersionUnknown
        └── ProviderNotActive · UnknownReply · Internal

Only the leaves are raised. `GRPC_STATUS` gives each code its gRPC status; the transport alone
turns that name into a status. `from_code` makes the same exception again on the other side.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Fault(StrEnum):
    """Whose turn it is to do something about an error."""

    CALLER = "caller"
    CAPACITY = "capacity"
    SERVER = "server"


class SeemError(Exception):
    """Anything that Seem refuses or fails to do.

    Attributes:
        code: Stable and upper case; programs branch on it.
        fault: Whose fault it is.
        hint: What to do, in one sentence.
        message: What happened, with the numbers at hand.
        retry_after_ms: When to try again, where trying again can help.
    """

    code: str = "ERROR"
    fault: Fault = Fault.SERVER
    hint: str = "Report this to the server's operator."

    def __init__(self, message: str, *, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class CallerError(SeemError, ValueError):
    """The request cannot be served as it is."""

    code = "CALLER_ERROR"
    fault = Fault.CALLER
    hint = "Change the request."


class CapacityError(SeemError):
    """Nothing is wrong with the request, but it cannot be served now."""

    code = "CAPACITY_ERROR"
    fault = Fault.CAPACITY
    hint = "Try again later."


class ServerError(SeemError):
    """The server is at fault."""

    code = "SERVER_ERROR"
    fault = Fault.SERVER
    hint = "Report this to the server's operator."


# --- the caller's: images


class BadImage(CallerError):
    """The image cannot be used."""


class ImageEmpty(BadImage):
    """There are no bytes."""

    code = "IMAGE_EMPTY"
    hint = "Send the bytes of an image file."


class ImageUnreadable(BadImage):
    """The bytes are no image that the server can read."""

    code = "IMAGE_UNREADABLE"
    hint = "Send a whole JPEG, PNG, WebP, TIFF, BMP or GIF file."


class ImageTruncated(BadImage):
    """The bytes begin as an image and end too soon."""

    code = "IMAGE_TRUNCATED"
    hint = "Send the whole file; the upload or the file was cut short."


class ImageTooLarge(BadImage):
    """The image has more bytes or pixels than the server takes."""

    code = "IMAGE_TOO_LARGE"
    hint = "Send a smaller image; GetModel tells the limits."


class ImageUnknown(BadImage):
    """The server does not hold an image with this content hash."""

    code = "IMAGE_UNKNOWN"
    hint = "Send the image's bytes in place of its hash."


# --- the caller's: videos


class BadVideo(CallerError):
    """What was given as a video has not the frames that are asked for."""


class VideoUnreadable(BadVideo):
    """The file is no video, or is damaged or cut short; the message says from which frame on."""

    code = "VIDEO_UNREADABLE"
    hint = "Give a whole video file; the frames before the damage can be used as they are."


class VideoEmpty(BadVideo):
    """There is no frame at all."""

    code = "VIDEO_EMPTY"
    hint = "Give a folder with image files, a video file with a picture, or at least one image."


class FrameSizeChanged(BadVideo):
    """A frame is not of the size of those before it."""

    code = "FRAME_SIZE_CHANGED"
    hint = "Bring all frames to one size, or begin a video of its own where the size changes."


class FrameGone(BadVideo):
    """Frames that come one by one went on, and an earlier one is asked for."""

    code = "FRAME_GONE"
    hint = "Ask in the order in which frames come, or give a list, a folder or a file."


class VideoReaderMissing(BadVideo):
    """A video file needs PyAV, which is not installed."""

    code = "VIDEO_READER_MISSING"
    hint = "Install it (pip install 'seem-server[video]'), or give a folder of images."


# --- the caller's: prompts


class BadPrompt(CallerError):
    """What was said about an object makes no sense."""


class PromptEmpty(BadPrompt):
    """Nothing was said about the object."""

    code = "PROMPT_EMPTY"
    hint = "Give at least one point, box, scribble, lasso, mask or text."


class OnlyNegativePrompts(BadPrompt):
    """The object has been told only where it is not."""

    code = "ONLY_NEGATIVE_PROMPTS"
    hint = "Give a positive point, scribble or lasso, a box, a mask or a text first."


class CoordinateNotFinite(BadPrompt):
    """A coordinate is NaN or infinite."""

    code = "COORDINATE_NOT_FINITE"
    hint = "Send finite pixel coordinates of the original image."


class PointOutsideImage(BadPrompt):
    """A point or a scribble's vertex lies outside the image."""

    code = "POINT_OUTSIDE_IMAGE"
    hint = "Send (x, y) within [0, width] x [0, height] of the upright original image."


class BoxWithoutArea(BadPrompt):
    """A box has no area, or none inside the image."""

    code = "BOX_WITHOUT_AREA"
    hint = "Send corners with x0 < x1 and y0 < y1 that meet the image."


class LassoWithoutArea(BadPrompt):
    """A lasso has too few corners, or lies beside the image."""

    code = "LASSO_WITHOUT_AREA"
    hint = "Send at least three corners of an outline that meets the image."


class MaskUnreadable(BadPrompt):
    """A mask's run lengths are malformed."""

    code = "MASK_UNREADABLE"
    hint = "Send COCO run lengths (column-major, compressed) that cover height x width pixels."


class MaskEmpty(BadPrompt):
    """A mask prompt marks no pixel."""

    code = "MASK_EMPTY"
    hint = "Mark at least one pixel, or leave the mask out."


class MaskSizeMismatch(BadPrompt):
    """A mask is not of the image's size."""

    code = "MASK_SIZE_MISMATCH"
    hint = "Send a mask of the upright original image's height and width."


# --- the caller's: commands


class BadCommand(CallerError):
    """The command itself is malformed or not to be had here."""


class UnknownCommand(BadCommand):
    """The command has no kind, or one that this server does not know."""

    code = "UNKNOWN_COMMAND"
    hint = "Set one kind that GetModel lists; a newer client may need a newer server."


class InvalidValue(BadCommand):
    """A field's value is out of its range."""

    code = "INVALID_VALUE"
    hint = "Give a value that is allowed; the message says what is wrong with this one."


class BadSequence(BadCommand):
    """The command's `seq` is zero or does not rise."""

    code = "BAD_SEQUENCE"
    hint = "Number a session's commands 1, 2, 3 and so on."


class LimitExceeded(BadCommand):
    """The command holds more than the server takes at once."""

    code = "LIMIT_EXCEEDED"
    hint = "Send less at once; GetModel tells the limits."


class NotOffered(BadCommand):
    """This server cannot do what was asked."""

    code = "NOT_OFFERED"
    hint = "Ask GetModel what is offered, or use a server that offers this."


class LibraryMissing(BadCommand):
    """What was asked for needs a library that is not installed where it was asked."""

    code = "LIBRARY_MISSING"
    hint = "Install what the message names, in the same environment."


# --- the caller's: who he is


class NotAllowed(CallerError):
    """The caller has not shown that he may ask this, or would show it to everybody."""


class Unauthenticated(NotAllowed):
    """There is no token or client certificate, or none that the server knows."""

    code = "UNAUTHENTICATED"
    hint = "Send a token that the server's operator gave you: connect(token=...), or SEEM_TOKEN."


class TooManyAttempts(NotAllowed):
    """Nor did the server know who called the many times before, from the same address."""

    code = "TOO_MANY_ATTEMPTS"
    hint = "Check the token; until retry_after_ms no other answer comes, but a right one is let in."


class PlaintextToken(NotAllowed):
    """A token would go over a network unencrypted."""

    code = "PLAINTEXT_TOKEN"
    hint = "Connect with TLS (tls=True, or tls=CA-FILE), or without a token."


# --- the caller's: order


class OutOfOrder(CallerError):
    """The command has its place, but not now."""


class AlreadyOpen(OutOfOrder):
    """The stream has its session already."""

    code = "ALREADY_OPEN"
    hint = "Use the session that is open, or another stream for another session."


class NoImage(OutOfOrder):
    """The session has no image yet."""

    code = "NO_IMAGE"
    hint = "Set an image first."


class NothingToUndo(OutOfOrder):
    """The session is at its beginning."""

    code = "NOTHING_TO_UNDO"
    hint = "Undo only what was done."


class NothingToRedo(OutOfOrder):
    """Nothing was undone since the last change."""

    code = "NOTHING_TO_REDO"
    hint = "Redo only right after an undo."


class NothingToChoose(OutOfOrder):
    """The object's last prompt was not answered with such a hypothesis."""

    code = "NOTHING_TO_CHOOSE"
    hint = "Click first on an object with `hypotheses`, and choose one of those that came."


class OtherSubject(OutOfOrder):
    """The session is about a video, and the command about an image, or the other way round."""

    code = "OTHER_SUBJECT"
    hint = "Open a session about an image, or one about a video, whichever is meant."


class FrameOutOfOrder(OutOfOrder):
    """A video's frame is not the next one."""

    code = "FRAME_OUT_OF_ORDER"
    hint = "Send frames in their order, each once: index 0, 1, 2 and so on."


class NothingToFollow(OutOfOrder):
    """No object of the video was prompted on any frame."""

    code = "NOTHING_TO_FOLLOW"
    hint = "Prompt an object on some frame first."


class NotFound(CallerError):
    """The request names something that is not there."""


class UnknownSession(NotFound):
    """There is no such session (any more)."""

    code = "UNKNOWN_SESSION"
    hint = "Open a session, and use the id of Opened until it is released or expires."


class SessionExpired(NotFound):
    """The session was used here until now, and is forgotten: it was too old, or ended elsewhere."""

    code = "SESSION_EXPIRED"
    hint = "Open a new session, and set the image again."


class UnknownFrame(NotFound):
    """The video has no such frame (yet)."""

    code = "UNKNOWN_FRAME"
    hint = "Send the frame first; frames are counted from 0."


class UnknownObject(NotFound):
    """The session has no such object."""

    code = "UNKNOWN_OBJECT"
    hint = "Prompt the object before naming it; GetSession lists the objects."


# --- the caller's: withdrawn by himself


class SessionMoved(OutOfOrder):
    """The session goes on in another stream."""

    code = "SESSION_MOVED"
    hint = "Attach to take it back; only one stream has a session."


class ModelChanged(OutOfOrder):
    """The session was begun with another model than the one that this server runs."""

    code = "MODEL_CHANGED"
    hint = "Attach to a server with that model, or open a new session."


class ReplyLost(OutOfOrder):
    """A command was carried out, but its reply is not known any more."""

    code = "REPLY_LOST"
    hint = "Look at what stands, with Attach; to undo takes the command back."


class OutOfPlace(OutOfOrder):
    """A connection is used in another process, or another event loop, than the one it is for."""

    code = "OUT_OF_PLACE"
    hint = "Connect where it is used: after a fork, and in the event loop that awaits it."


class Withdrawn(CallerError):
    """The caller himself made the request pointless."""


class Superseded(Withdrawn):
    """A newer prompt on the same objects was served in this one's place."""

    code = "SUPERSEDED"
    hint = "Use the answer to the newer prompt, which counts this one in."


class Cancelled(Withdrawn):
    """The caller cancelled the request or went away."""

    code = "CANCELLED"
    hint = "Send it again if it is still wanted."


# --- the caller's: checkpoints and their conversion


class BadCheckpoint(CallerError):
    """The file is no published checkpoint that can be converted."""


class CheckpointNotFound(BadCheckpoint):
    """There is no such file."""

    code = "CHECKPOINT_NOT_FOUND"
    hint = "Give the path of a downloaded checkpoint, such as seem_focall_v1.pt."


class CheckpointUnreadable(BadCheckpoint):
    """The file is cut short, damaged, or no PyTorch file."""

    code = "CHECKPOINT_UNREADABLE"
    hint = "Download the file again, and compare its size with the one published."


class CheckpointUnsafe(BadCheckpoint):
    """To read the file would be to run what it names."""

    code = "CHECKPOINT_UNSAFE"
    hint = "Don't open it with other tools unless you trust its maker; weights need no code."


class CheckpointNotFlat(BadCheckpoint):
    """The file holds something else than one table of named tensors."""

    code = "CHECKPOINT_NOT_FLAT"
    hint = "Save the model's state dict alone: a dict of name to tensor."


class CheckpointUnknown(BadCheckpoint):
    """The file holds the weights of a model that is not SEEM."""

    code = "CHECKPOINT_UNKNOWN"
    hint = "Give a SEEM checkpoint: Focal-T, Focal-L, DaViT-d3, DaViT-d5, SAM-ViT-B or SAM-ViT-L."


class CheckpointMismatch(BadCheckpoint):
    """The file's tensors are not those of the variant."""

    code = "CHECKPOINT_MISMATCH"
    hint = "Nothing was loaded: name the variant of the file, or get the file again."


class VariantNeeded(BadCheckpoint):
    """The file fits several variants, which it cannot tell apart."""

    code = "VARIANT_NEEDED"
    hint = "Say which with --variant; the published file's name ends in v0 or v1."


class ConversionRefused(CallerError):
    """The checkpoint is fine, but the bundle is not to be made like this."""


class OutputTaken(ConversionRefused):
    """Something lies where the bundle should go."""

    code = "OUTPUT_TAKEN"
    hint = "Name another folder; --force replaces a bundle, and nothing but a bundle."


class ParityTooLow(ConversionRefused):
    """The converted graphs don't give what the checkpoint gives."""

    code = "PARITY_TOO_LOW"
    hint = "Choose a higher precision; --accept keeps the bundle all the same."


# --- capacity


class Overloaded(CapacityError):
    """The server is full."""

    code = "OVERLOADED"
    hint = "Try again after retry_after_ms."


class QuotaExceeded(CapacityError):
    """The caller's tenant has used what it may."""

    code = "QUOTA_EXCEEDED"
    hint = "Try again after retry_after_ms, or ask the server's operator for a larger quota."


class DeadlineExceeded(CapacityError):
    """The request's deadline passed before it was served."""

    code = "DEADLINE_EXCEEDED"
    hint = "Try again with a longer deadline or at a calmer time."


class ShuttingDown(CapacityError):
    """The server is going down and takes no new work."""

    code = "SHUTTING_DOWN"
    hint = "Connect again; another server or a restarted one will answer."


class Disconnected(CapacityError):
    """There is no connection to the server, or it was lost."""

    code = "DISCONNECTED"
    hint = "Check that a server is running at this address, with TLS or without as asked for."


class StoreFailed(CapacityError):
    """What was said could not be kept, and so it was not done."""

    code = "STORE_FAILED"
    hint = "Attach to the session later and say it again; nothing that was answered is lost."


class StoreFull(CapacityError):
    """There is no room for another image."""

    code = "STORE_FULL"
    hint = "Release sessions that are not needed any more, or try again later."


class DiskFull(CapacityError):
    """There is too little room on the disk."""

    code = "DISK_FULL"
    hint = "Make room, or name a folder on another disk, and try again."


# --- the server's


class BundleInvalid(ServerError):
    """The model bundle is malformed."""

    code = "BUNDLE_INVALID"
    hint = "Convert or download the bundle again."


class BundleNotFound(BundleInvalid):
    """No bundle has this name or lies in this folder."""

    code = "BUNDLE_NOT_FOUND"
    hint = "Name a shipped bundle or a folder with a bundle.json."


class BundleFileMissing(BundleInvalid):
    """A file that the bundle lists is not there."""

    code = "BUNDLE_FILE_MISSING"
    hint = "Copy the whole folder again."


class BundleHashMismatch(BundleInvalid):
    """A file of the bundle is not the one that was listed."""

    code = "BUNDLE_HASH_MISMATCH"
    hint = "Copy the folder again; the file was changed or damaged."


class BundleVersionUnknown(BundleInvalid):
    """The bundle is of a format that this server does not know."""

    code = "BUNDLE_VERSION_UNKNOWN"
    hint = "Update the server, or convert the bundle with this version's tools."


class ProviderNotActive(ServerError):
    """The device that was asked for is not the one that would run."""

    code = "PROVIDER_NOT_ACTIVE"
    hint = "Install the runtime for this device (extra 'gpu', never beside 'serve') or ask for cpu."


class UnknownReply(ServerError):
    """The server's reply is of no kind that this client knows."""

    code = "UNKNOWN_REPLY"
    hint = "Update the client; the server is newer."


class Internal(ServerError):
    """Something broke that should not."""

    code = "INTERNAL"
    hint = "Report the code and time to the server's operator; its log has the cause."


GRPC_STATUS: Mapping[str, str] = MappingProxyType(
    {
        "IMAGE_EMPTY": "INVALID_ARGUMENT",
        "IMAGE_UNREADABLE": "INVALID_ARGUMENT",
        "IMAGE_TRUNCATED": "INVALID_ARGUMENT",
        "IMAGE_TOO_LARGE": "INVALID_ARGUMENT",
        "IMAGE_UNKNOWN": "NOT_FOUND",
        "VIDEO_UNREADABLE": "INVALID_ARGUMENT",
        "VIDEO_EMPTY": "INVALID_ARGUMENT",
        "FRAME_SIZE_CHANGED": "INVALID_ARGUMENT",
        "FRAME_GONE": "FAILED_PRECONDITION",
        "VIDEO_READER_MISSING": "FAILED_PRECONDITION",
        "PROMPT_EMPTY": "INVALID_ARGUMENT",
        "ONLY_NEGATIVE_PROMPTS": "FAILED_PRECONDITION",
        "COORDINATE_NOT_FINITE": "INVALID_ARGUMENT",
        "POINT_OUTSIDE_IMAGE": "OUT_OF_RANGE",
        "BOX_WITHOUT_AREA": "INVALID_ARGUMENT",
        "LASSO_WITHOUT_AREA": "INVALID_ARGUMENT",
        "MASK_UNREADABLE": "INVALID_ARGUMENT",
        "MASK_EMPTY": "INVALID_ARGUMENT",
        "MASK_SIZE_MISMATCH": "INVALID_ARGUMENT",
        "UNKNOWN_COMMAND": "UNIMPLEMENTED",
        "INVALID_VALUE": "INVALID_ARGUMENT",
        "BAD_SEQUENCE": "INVALID_ARGUMENT",
        "LIMIT_EXCEEDED": "INVALID_ARGUMENT",
        "NOT_OFFERED": "UNIMPLEMENTED",
        "LIBRARY_MISSING": "FAILED_PRECONDITION",
        "UNAUTHENTICATED": "UNAUTHENTICATED",
        "TOO_MANY_ATTEMPTS": "RESOURCE_EXHAUSTED",
        "PLAINTEXT_TOKEN": "UNAUTHENTICATED",
        "ALREADY_OPEN": "FAILED_PRECONDITION",
        "NO_IMAGE": "FAILED_PRECONDITION",
        "NOTHING_TO_UNDO": "FAILED_PRECONDITION",
        "NOTHING_TO_REDO": "FAILED_PRECONDITION",
        "NOTHING_TO_CHOOSE": "FAILED_PRECONDITION",
        "OTHER_SUBJECT": "FAILED_PRECONDITION",
        "FRAME_OUT_OF_ORDER": "FAILED_PRECONDITION",
        "NOTHING_TO_FOLLOW": "FAILED_PRECONDITION",
        "UNKNOWN_FRAME": "NOT_FOUND",
        "SESSION_MOVED": "ABORTED",
        "MODEL_CHANGED": "FAILED_PRECONDITION",
        "REPLY_LOST": "FAILED_PRECONDITION",
        "OUT_OF_PLACE": "FAILED_PRECONDITION",
        "UNKNOWN_SESSION": "NOT_FOUND",
        "SESSION_EXPIRED": "NOT_FOUND",
        "UNKNOWN_OBJECT": "NOT_FOUND",
        "SUPERSEDED": "ABORTED",
        "CANCELLED": "CANCELLED",
        "CHECKPOINT_NOT_FOUND": "NOT_FOUND",
        "CHECKPOINT_UNREADABLE": "INVALID_ARGUMENT",
        "CHECKPOINT_UNSAFE": "INVALID_ARGUMENT",
        "CHECKPOINT_NOT_FLAT": "INVALID_ARGUMENT",
        "CHECKPOINT_UNKNOWN": "INVALID_ARGUMENT",
        "CHECKPOINT_MISMATCH": "INVALID_ARGUMENT",
        "VARIANT_NEEDED": "INVALID_ARGUMENT",
        "OUTPUT_TAKEN": "FAILED_PRECONDITION",
        "PARITY_TOO_LOW": "FAILED_PRECONDITION",
        "OVERLOADED": "RESOURCE_EXHAUSTED",
        "QUOTA_EXCEEDED": "RESOURCE_EXHAUSTED",
        "DEADLINE_EXCEEDED": "DEADLINE_EXCEEDED",
        "SHUTTING_DOWN": "UNAVAILABLE",
        "DISCONNECTED": "UNAVAILABLE",
        "STORE_FAILED": "UNAVAILABLE",
        "STORE_FULL": "RESOURCE_EXHAUSTED",
        "DISK_FULL": "RESOURCE_EXHAUSTED",
        "BUNDLE_INVALID": "INTERNAL",
        "BUNDLE_NOT_FOUND": "INTERNAL",
        "BUNDLE_FILE_MISSING": "INTERNAL",
        "BUNDLE_HASH_MISMATCH": "INTERNAL",
        "BUNDLE_VERSION_UNKNOWN": "INTERNAL",
        "PROVIDER_NOT_ACTIVE": "INTERNAL",
        "UNKNOWN_REPLY": "INTERNAL",
        "INTERNAL": "INTERNAL",
    }
)
"""The name of the gRPC status of each code."""


def _descendants(parent: type[SeemError]) -> Iterator[type[SeemError]]:
    for child in parent.__subclasses__():
        yield child
        yield from _descendants(child)


_GROUPS = {group.fault: group for group in (CallerError, CapacityError, ServerError)}
BY_CODE: Mapping[str, type[SeemError]] = MappingProxyType(
    {error.code: error for error in _descendants(SeemError) if error.code in GRPC_STATUS}
)
"""The class of each code."""


def from_code(
    code: str,
    message: str,
    *,
    fault: Fault = Fault.SERVER,
    hint: str = "",
    retry_after_ms: int | None = None,
) -> SeemError:
    """The exception for what the other side reported.

    A code that this side does not know (the other is newer) gives the group of its `fault`, with
    the code and hint that came with it.
    """
    known = BY_CODE.get(code)
    error = (known or _GROUPS[fault])(message, retry_after_ms=retry_after_ms)
    if known is None:
        error.code = code
    if hint:
        error.hint = hint  # the other side knows best what to do
    return error
