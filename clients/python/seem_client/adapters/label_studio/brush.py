"""Masks in the run lengths of Label Studio's brush.

A brush is an RGBA image of H x W pixels, its 4 H W values row by row, packed as bits:

    32  how many values
     5  bits of a value, less 1: always 8 here
    4x4 how many bits the length of a run has, less 1: four choices, here 3, 4, 8 and 16
    then, until all values are there:
     1  whether one value is repeated (1), or each is listed (0)
     2  which choice of length
     n  the length, less 1
     8  the value; or, listed, as many as the length says

Numbers have their highest bit first, and zeros fill the last byte. A pixel is marked where its
alpha is not 0. What others packed is read as carefully as any bytes from outside: nothing of the
mask's size is made before it adds up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seem_wire.errors import MaskUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    Ints = npt.NDArray[np.int64]

CHANNELS = 4
_VALUE_BITS = 8
_CHOICES = (3, 4, 8, 16)
_LONGEST = 1 << _CHOICES[-1]
_HEADER_BITS = 32 + 5 + 4 * 4
_MARKED = 255


def encode(mask: Mask) -> list[int]:
    """The bytes of a mask, bool (H, W), marked pixels opaque white and the others clear."""
    lengths, values = _runs(mask.ravel())
    choice = np.searchsorted(1 << np.array(_CHOICES), lengths)
    bits = np.array(_CHOICES)[choice]
    codes = ((0b100 | choice) << bits | (lengths - 1)) << _VALUE_BITS | values
    parts = (_header(CHANNELS * mask.size), _as_bits(codes, 1 + 2 + bits + _VALUE_BITS))
    packed: list[int] = np.packbits(np.concatenate(parts)).tolist()
    return packed


def decode(packed: Sequence[int], size: tuple[int, int]) -> Mask:
    """The mask, bool (H, W), of a brush that is said to be of (height, width) `size`.

    Raises:
        MaskUnreadable: The bytes are no such brush.
    """
    height, width = size
    n_values = CHANNELS * height * width
    try:
        data = bytes(packed)
    except (TypeError, ValueError) as error:
        raise MaskUnreadable("A brush's run lengths are a list of bytes, 0 to 255.") from error
    reader = _Bits(data)
    declared, value_bits = reader.take(32), reader.take(5) + 1
    if declared != n_values or value_bits != _VALUE_BITS:
        raise MaskUnreadable(
            f"The brush has {declared} values of {value_bits} bits; {height} x {width} pixels have "
            f"{n_values} of {_VALUE_BITS}."
        )
    choices = [reader.take(4) + 1 for _ in range(4)]
    pieces = _pieces(reader, choices, n_values)
    alpha = np.zeros(n_values, np.uint8)
    for start, values in pieces:
        alpha[start : start + len(values)] = values
    marked: Mask = alpha.reshape(height, width, CHANNELS)[..., 3] != 0
    return marked


def _runs(pixels: Mask) -> tuple[Ints, Ints]:
    """Lengths and values of the runs, none longer than can be said at once."""
    bounds = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    starts = np.concatenate([[0], bounds])
    lengths = CHANNELS * np.diff(starts, append=pixels.size)
    n_parts = -(-lengths // _LONGEST)
    parts = np.full(int(n_parts.sum()), _LONGEST)
    parts[np.cumsum(n_parts) - 1] = lengths - (n_parts - 1) * _LONGEST
    return parts, np.repeat(np.where(pixels[starts], _MARKED, 0), n_parts)


def _header(n_values: int) -> npt.NDArray[np.uint8]:
    number = n_values << 5 | (_VALUE_BITS - 1)
    for bits in _CHOICES:
        number = number << 4 | (bits - 1)
    return _as_bits(np.array([number]), np.array([_HEADER_BITS]))


def _as_bits(numbers: Ints, n_bits: Ints) -> npt.NDArray[np.uint8]:
    """The numbers one after the other, each in as many bits as it is given, highest first."""
    ends = np.repeat(np.cumsum(n_bits), n_bits)
    places = ends - 1 - np.arange(len(ends))
    return (np.repeat(numbers, n_bits) >> places & 1).astype(np.uint8)


def _pieces(
    reader: _Bits, choices: list[int], n_values: int
) -> list[tuple[int, npt.NDArray[np.uint8]]]:
    """Where each run begins, and its values: one that is repeated by broadcasting."""
    pieces = []
    start = 0
    while start < n_values:
        repeated = reader.take(1)
        length = reader.take(choices[reader.take(2)]) + 1
        if length > n_values - start:
            raise MaskUnreadable("The brush's runs are longer than its image.")
        if repeated:
            value = np.array([reader.take(_VALUE_BITS)], np.uint8)
            pieces.append((start, np.broadcast_to(value, length)))
        else:
            pieces.append((start, reader.take_bytes(length)))
        start += length
    return pieces


class _Bits:
    """Bits of some bytes, from the first on. Raises MaskUnreadable past the last."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, n_bits: int) -> int:
        """The next bits as a number."""
        first, end = self._at // 8, -(-(self._at + n_bits) // 8)
        self._move(n_bits)
        number = int.from_bytes(self._data[first:end], "big")
        return number >> (8 * end - self._at) & ((1 << n_bits) - 1)

    def take_bytes(self, count: int) -> npt.NDArray[np.uint8]:
        """The next bytes, wherever within a byte they begin."""
        first, within = divmod(self._at, 8)
        self._move(8 * count)
        held = np.frombuffer(self._data, np.uint8, -(-(within + 8 * count) // 8), first)
        bits = np.unpackbits(held)[within : within + 8 * count]
        return np.packbits(bits)

    def _move(self, n_bits: int) -> None:
        self._at += n_bits
        if self._at > 8 * len(self._data):
            raise MaskUnreadable("The brush's run lengths end too early.")
