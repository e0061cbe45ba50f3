"""The sizes of the frames in AV1 data, read from their headers without decoding them.

Reference: AV1 Bitstream & Decoding Process Specification (2019), sections 5.3 to 5.9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnn_widgets.picture_files.limits import Parts

_SEQUENCE_HEADER = 1  # types of OBUs, the units of AV1
_FRAME_HEADERS = (3, 6, 7)  # header alone, header with its frame, header repeated
_CHOSEN_BY_FRAME = 2  # SELECT_SCREEN_CONTENT_TOOLS and SELECT_INTEGER_MV
_KEY_FRAME, _SWITCH_FRAME = 0, 3


class _Bits:
    """Reads numbers of some bits, the highest first."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, count: int = 1) -> int:
        """Return the next bits as a whole number."""
        if self.at + count > 8 * len(self.data):
            raise ValueError("a header in it is cut off")
        value = 0
        for _ in range(count):
            value = value << 1 | self.data[self.at >> 3] >> 7 - (self.at & 7) & 1
            self.at += 1
        return value


@dataclass
class _Sequence:
    """What a sequence header says, as far as sizes and the place of a frame's size need it."""

    size: tuple[int, int] = (0, 0)  # the largest width and height of a frame
    largest: tuple[int, int] = (0, 0)  # what as many bits can say
    still: bool = False  # reduced_still_picture_header
    time_bits: int = 0  # of frame_presentation_time, if frames have one
    id_bits: int = 0  # of current_frame_id, if frames have one
    screen: int = _CHOSEN_BY_FRAME
    whole_motion: int = _CHOSEN_BY_FRAME


def frame_sizes(data: bytes, parts: Parts) -> Iterator[tuple[int, int]]:
    """Yield (width, height) of the frames in AV1 data: of each sequence, and of single frames.

    A frame may give a size of its own; the largest that it can give is yielded then.

    Parameters
    ----------
    data : bytes
        The coded data of one picture.
    parts : Parts
        Counts the units that are looked at.

    Raises
    ------
    ValueError
        If the data are not as the specification says, or too many.
    """
    sequence, at = None, 0
    while at < len(data):
        parts.take()
        head, at = data[at], at + 1
        kind = head >> 3 & 15
        at += head >> 2 & 1  # an extension
        size = len(data) - at
        if head & 2:
            size, at = _leb128(data, at)
        part, at = data[at : at + size], at + size
        if kind == _SEQUENCE_HEADER:
            sequence = _sequence(_Bits(part))
            yield sequence.size
        elif kind in _FRAME_HEADERS:
            if sequence is None:
                raise ValueError("its frames come before their size")
            if _has_own_size(_Bits(part), sequence):
                yield sequence.largest


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of AV1's variable length, and the place after it."""
    value = 0
    for place in range(min(8, len(data) - at)):
        value |= (data[at + place] & 127) << 7 * place
        if data[at + place] < 128:
            return value, at + place + 1
    raise ValueError("a length in it never ends")


def _sequence(bits: _Bits) -> _Sequence:
    """Read a sequence header up to what frames need (section 5.5)."""
    found = _Sequence()
    bits.read(4)  # profile, still picture
    found.still = bool(bits.read())
    if found.still:
        bits.read(5)  # level
    else:
        _operating_points(bits, found)
    wide, high = bits.read(4) + 1, bits.read(4) + 1
    found.size = bits.read(wide) + 1, bits.read(high) + 1
    found.largest = 1 << wide, 1 << high
    if found.still:
        return found
    if bits.read():
        delta = bits.read(4) + 2
        found.id_bits = delta + bits.read(3) + 1
    bits.read(7)  # tools for single frames, then for pairs of them
    ordered = bits.read()
    bits.read(2 * ordered)
    found.screen = _CHOSEN_BY_FRAME if bits.read() else bits.read()
    if found.screen:
        found.whole_motion = _CHOSEN_BY_FRAME if bits.read() else bits.read()
    return found


def _operating_points(bits: _Bits, found: _Sequence) -> None:
    """Read timing and operating points of a sequence header (sections 5.5.1 to 5.5.5)."""
    model, delay_bits = 0, 0
    if bits.read():
        bits.read(64)  # two times
        equal = bits.read()
        if equal:
            zeros = 0
            while not bits.read():
                zeros += 1
            bits.read(zeros if zeros < 32 else 0)
        model = bits.read()
        if model:
            delay_bits = bits.read(5) + 1
            bits.read(37)
            time_bits = bits.read(5) + 1
            found.time_bits = 0 if equal else time_bits
    displayed = bits.read()
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read()
        if model and bits.read():
            bits.read(2 * delay_bits + 1)
        if displayed and bits.read():
            bits.read(4)


def _has_own_size(bits: _Bits, sequence: _Sequence) -> bool:
    """Return whether a frame gives a size of its own (frame_size_override_flag, section 5.9.2)."""
    if sequence.still or bits.read():  # or it shows a frame again that was decoded before
        return False
    kind, shown = bits.read(2), bits.read()
    if kind == _SWITCH_FRAME:
        return True
    bits.read(sequence.time_bits if shown else 1)
    if not (kind == _KEY_FRAME and shown):
        bits.read()  # error_resilient_mode
    bits.read()
    screen = bits.read() if sequence.screen == _CHOSEN_BY_FRAME else sequence.screen
    if screen and sequence.whole_motion == _CHOSEN_BY_FRAME:
        bits.read()
    bits.read(sequence.id_bits)
    return bool(bits.read())
