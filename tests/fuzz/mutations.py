"""Bytes of a real file -> bytes of a broken one: blindly, and along the file's own parts."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

ODD = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31)
ODD += (2**32 - 1, 2**32 - 8, 2**63 - 1, 2**64 - 1)
"""Numbers at which programs miscount."""
MOST = 4 << 20  # bytes of a mutated file
PACKET = 188  # bytes of a transport stream's packet


class Part(NamedTuple):
    """A chunk, box, segment or packet of a file: header, then content."""

    start: int
    content: int
    end: int


# ---- where a file's parts are ---------------------------------------------------------------


def _boxes(data: bytes, start: int = 0, end: int | None = None, depth: int = 0) -> Iterator[Part]:
    """Yield the boxes of MP4, M4A, MOV and HEIC, outer ones before those inside them."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4], "big")
        kind = data[start + 4 : start + 8]
        if size < 8 or start + size > end:
            return
        yield Part(start, start + 8, start + size)
        inside = {b"meta": 12, b"stsd": 16, b"dref": 16, b"iinf": 14}.get(kind, 8)
        if depth < 8 and kind not in (b"mdat", b"ftyp"):
            yield from _boxes(data, start + inside, start + size, depth + 1)
        start += size


def _chunks(data: bytes) -> Iterator[Part]:
    """Yield the chunks of WAV, WebP and AVI."""
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        end = min(place + 8 + size + size % 2, len(data))
        yield Part(place, place + 8, end)
        if data[place : place + 4] == b"LIST":
            end = place + 12
        place = end


def _png_chunks(data: bytes) -> Iterator[Part]:
    place = 8
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if end > len(data):
            return
        yield Part(place, place + 8, end)
        place = end


def _segments(data: bytes) -> Iterator[Part]:
    """Yield the segments of a JPEG up to its picture."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        yield Part(place, place + 4, min(end, len(data)))
        if data[place + 1] == 0xDA:
            return
        place = end


def _fields(data: bytes) -> Iterator[Part]:
    """Yield the entries of a TIFF's directories."""
    order = "little" if data[:2] == b"II" else "big"
    place = int.from_bytes(data[4:8], order)
    for _ in range(4):
        if not 0 < place < len(data) - 2:
            return
        count = int.from_bytes(data[place : place + 2], order)
        for number in range(min(count, 64)):
            start = place + 2 + 12 * number
            yield Part(start, start + 8, min(start + 12, len(data)))
        after = place + 2 + 12 * count
        place = int.from_bytes(data[after : after + 4], order)


def _elements(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Part]:
    """Yield the EBML elements of Matroska and WebM."""
    end = len(data) if end is None else end
    while start < end - 2:
        name = 9 - data[start].bit_length()
        if name > 4 or start + name >= end:
            return
        width = 9 - data[start + name].bit_length()
        content = start + name + width
        if width > 8 or content > end:
            return
        size = int.from_bytes(data[start + name : content], "big") & ((1 << 7 * width) - 1)
        stop = end if size == (1 << 7 * width) - 1 else min(content + size, end)
        yield Part(start, content, stop)
        if data[start : start + name].hex() in MASTERS:
            yield from _elements(data, content, stop)
        start = stop


MASTERS = {"18538067", "1654ae6b", "ae", "e0", "e1", "1f43b675", "a0", "1549a966", "114d9b74"}
"""Matroska's elements that hold others: segment, tracks, a track, video, audio, cluster, group."""


def _packets(data: bytes) -> Iterator[Part]:
    for start in range(0, len(data) - PACKET + 1, PACKET):
        yield Part(start, start + 4, start + PACKET)


def _pages(data: bytes) -> Iterator[Part]:
    """Yield the pages of Ogg."""
    start = data.find(b"OggS")
    while start >= 0:
        after = data.find(b"OggS", start + 4)
        yield Part(start, min(start + 27, len(data)), after if after > 0 else len(data))
        start = after


def _lines(data: bytes) -> Iterator[Part]:
    place = 0
    for line in data.splitlines(keepends=True):
        yield Part(place, place, place + len(line))
        place += len(line)


PARTS: dict[str, Callable[[bytes], Iterator[Part]]] = {
    **dict.fromkeys(("mp4", "m4a", "mov", "heic", "webm.c2pa"), _boxes),
    **dict.fromkeys(("wav", "webp", "avi"), _chunks),
    **dict.fromkeys(("mkv", "webm"), _elements),
    **dict.fromkeys(("ogg", "opus"), _pages),
    **dict.fromkeys(("lrc", "srt", "csv"), _lines),
    **dict.fromkeys(("png", "apng"), _png_chunks),
    "jpg": _segments,
    "tiff": _fields,
    "ts": _packets,
}
"""Kind of a file -> its parts; others are mutated blindly."""


# ---- what is done to them -------------------------------------------------------------------


def mutated(data: bytes, kind: str, chance: random.Random) -> bytes:
    """Return a file broken in one to four places."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        parts = list(PARTS[kind](data)) if kind in PARTS else []
        if parts and chance.random() < 0.6:
            data = chance.choice(BY_PARTS)(data, parts, chance)
        else:
            data = chance.choice(BLIND)(data, chance)
        data = data[:MOST]
    return CHECKED[kind](data) if kind in CHECKED and chance.random() < 0.9 else data


def png_checked(png: bytes) -> bytes:
    """Return a PNG whose checksums are right, so that what is in its chunks is looked at."""
    for part in _png_chunks(png):
        sum_ = zlib.crc32(png[part.start + 4 : part.end - 4])
        png = png[: part.end - 4] + struct.pack(">I", sum_) + png[part.end :]
    return png


def ogg_checked(ogg: bytes) -> bytes:
    """Return an Ogg whose pages have the right checksums."""
    for part in _pages(ogg):
        if part.end - part.start >= 27:
            bare = ogg[part.start : part.start + 22] + bytes(4) + ogg[part.start + 26 : part.end]
            sum_ = 0
            for byte in bare:
                sum_ = (sum_ << 8 & 0xFFFFFFFF) ^ OGG_SUMS[sum_ >> 24 ^ byte]
            ogg = ogg[: part.start + 22] + struct.pack("<I", sum_) + ogg[part.start + 26 :]
    return ogg


def _ogg_sum(value: int) -> int:
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


OGG_SUMS = [_ogg_sum(byte << 24) for byte in range(256)]
CHECKED = {"png": png_checked, "apng": png_checked, "ogg": ogg_checked, "opus": ogg_checked}


def _flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 4, 16, 64)) if data else 0):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _number(data: bytes, chance: random.Random, low: int = 0, high: int | None = None) -> bytes:
    """Put an odd number somewhere, in either byte order."""
    width = chance.choice((1, 2, 4, 8))
    high = len(data) if high is None else high
    if high - low < width:
        return data
    place = chance.randrange(low, high - width + 1)
    odd = chance.choice(ODD) % (1 << 8 * width)
    return data[:place] + odd.to_bytes(width, chance.choice(ORDERS)) + data[place + width :]


ORDERS = ("big", "little")


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _without(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.choice((1, 4, 100, 1000)) :]


def _again(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    end = start + chance.choice((1, 16, 256, 4096))
    return data[:end] + data[start:end] * chance.choice((1, 8, 64)) + data[end:]


def _noise(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    noise = chance.randbytes(chance.choice((1, 8, 64, 512)))
    return data[:start] + noise + data[start + chance.choice((0, len(noise))) :]


BLIND: tuple[Callable[[bytes, random.Random], bytes], ...]
BLIND = (_flip, _number, _cut, _without, _again, _noise)


def _header_number(data: bytes, parts: list[Part], chance: random.Random) -> bytes:
    part = chance.choice(parts)
    return _number(data, chance, part.start, min(max(part.content, part.start + 8), part.end))


def _content_number(data: bytes, parts: list[Part], chance: random.Random) -> bytes:
    part = chance.choice(parts)
    return _number(data, chance, part.content, min(part.content + 64, part.end))


def _part_gone(data: bytes, parts: list[Part], chance: random.Random) -> bytes:
    part = chance.choice(parts)
    return data[: part.start] + data[part.end :]


def _part_twice(data: bytes, parts: list[Part], chance: random.Random) -> bytes:
    part, place = chance.choice(parts), chance.choice(parts)
    many = data[part.start : part.end] * chance.choice((1, 1, 16))
    return data[: place.start] + many + data[place.start :]


def _parts_swapped(data: bytes, parts: list[Part], chance: random.Random) -> bytes:
    one, other = sorted((chance.choice(parts), chance.choice(parts)))
    if one.end > other.start:
        return data
    return b"".join(
        (
            data[: one.start],
            data[other.start : other.end],
            data[one.end : other.start],
            data[one.start : one.end],
            data[other.end :],
        )
    )


def _content_noise(data: bytes, parts: list[Part], chance: random.Random) -> bytes:
    part = chance.choice(parts)
    length = max(0, min(part.end - part.content, 4096))  # a header may be cut short
    return data[: part.content] + chance.randbytes(length) + data[part.content + length :]


BY_PARTS: tuple[Callable[[bytes, list[Part], random.Random], bytes], ...]
BY_PARTS = (
    *(_header_number, _content_number, _content_number),
    *(_part_gone, _part_twice, _parts_swapped, _content_noise),
)
