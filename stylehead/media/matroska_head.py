"""The beginning of a Matroska file with one sound track, for what FFmpeg reads from nowhere else.

Of AAC and MP3, FFmpeg's other readers keep a decoder's warm-up (CodecDelay) to themselves; a track
that is made after one in Matroska has it.
"""

from __future__ import annotations

import struct
from fractions import Fraction

CODECS = {"aac": "A_AAC", "mp3": "A_MPEG/L3"}
"""Names of codecs in Matroska."""
NANOSECONDS = 1_000_000_000  # of a second


def matroska_head(
    codec: str, *, rate: int, channels: int, private: bytes, warm_up: Fraction
) -> bytes:
    """Return a Matroska file of one sound track without sound.

    rate: Hz; private: the codec's own header; warm_up: seconds that are decoded and not heard.
    """
    audio = _element("e1", _element("b5", struct.pack(">d", rate)), _number("9f", channels))
    track = [
        _number("d7", 1),  # its number
        _number("73c5", 1),  # and again, for good
        _number("83", 2),  # sound
        _element("86", CODECS[codec].encode()),
        _number("56aa", round(warm_up * NANOSECONDS)),  # CodecDelay
        audio,
    ]
    if private:
        track.append(_element("63a2", private))
    info = _element("1549a966", _number("2ad7b1", 1_000_000))  # a tick is a millisecond
    tracks = _element("1654ae6b", _element("ae", *track))
    cluster = _element("1f43b675", _number("e7", 0))  # without one, it would be a broken file
    head = _element("1a45dfa3", _element("4282", b"matroska"))
    return head + _element("18538067", info, tracks, cluster)


def _element(name: str, *parts: bytes) -> bytes:
    """Return an element of EBML: its name in hexadecimal, its length in eight bytes, its parts."""
    content = b"".join(parts)
    return bytes.fromhex(name) + (1 << 56 | len(content)).to_bytes(8, "big") + content


def _number(name: str, value: int) -> bytes:
    return _element(name, value.to_bytes(8, "big"))
