"""Odd pictures made by code: colour profiles byte by byte, and a HEIC around one HEVC picture."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating]

D50 = (0.9642, 1.0, 0.8249)
SRGB = np.array(
    [[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.7141]]
)
"""XYZ (D50) of the three primaries, a row each."""
PRIMARIES = {
    "sRGB": SRGB,
    "exchanged": SRGB[::-1],
    "Display P3": np.array(
        [[0.51512, 0.2412, -0.00105], [0.29198, 0.69225, 0.04189], [0.1571, 0.06657, 0.78407]]
    ),
    "Adobe RGB": np.array(
        [[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]]
    ),
    "ProPhoto": np.array(
        [[0.79767, 0.28804, 0.0], [0.13519, 0.71187, 0.0], [0.03134, 0.00009, 0.82491]]
    ),
}


def _profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return a version 2 ICC profile."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"made\0" + bytes(81),
        b"cprt": b"text\0\0\0\0public\0\0",
        b"wtpt": _xyz(D50),
        **tags,
    }
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += name + struct.pack(">II", start + len(body), len(value))
        body += padded
    size = start + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, kind, space, pcs)
    head += b"\x07\xe8\0\1\0\1\0\0\0\0\0\0acsp" + bytes(28) + _fixed(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(values: Sequence[float]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def rgb_profile(primaries: Floats, gamma: float) -> bytes:
    """Return the profile of an RGB space: XYZ of its primaries (3, 3), and its gamma."""
    colours = zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries.tolist(), strict=True)
    tags = {name: _xyz(values) for name, values in colours}
    tags |= {name: _curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    """Return the profile of a grey space."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def cmyk_profile(inks: str) -> bytes:
    """Return a profile in which the four channels are these inks, such as `cmyk` or `ymck`."""
    grid = b""
    for amounts in np.ndindex(2, 2, 2, 2):
        ink = dict(zip(inks, amounts, strict=True))
        paper = 1 - ink["k"]
        rgb = np.array([1 - ink["c"], 1 - ink["m"], 1 - ink["y"]]) * paper
        grid += bytes(_lab(rgb))
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + _fixed(np.eye(3).ravel().tolist())
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table + 4 * ramp + grid + 3 * ramp})


def _lab(rgb: Floats) -> list[int]:
    """Return the 8-bit Lab of a full sRGB colour."""
    ratios = np.array(rgb @ SRGB) / D50
    bent = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    x, y, z = bent.tolist()
    lab = (2.55 * (116 * y - 16), 500 * (x - y) + 128, 200 * (y - z) + 128)
    return [round(min(max(value, 0), 255)) for value in lab]


def shown(pixels: Pixels, primaries: Floats, gamma: float) -> Floats:
    """Return what sRGB pixels show the colours (H, W, 3) of another space, by the book."""
    light = (pixels / 255.0) ** gamma @ primaries @ np.linalg.inv(SRGB)
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


# ---- HEIC -----------------------------------------------------------------------------------


def _box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def save_heic(path: Path, pixels: Pixels, profile: bytes | None = None) -> Path:
    """Write a picture (H, W, 3) of even sides as HEIC: one HEVC key frame and its description."""
    height, width = pixels.shape[:2]
    film = io.BytesIO()
    with av.open(film, "w", format="mp4") as container:
        stream = container.add_stream("libx265", rate=1)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.options = {"x265-params": "log-level=none:keyint=1:info=0", "crf": "8"}
        stream.codec_context.codec_tag = "hvc1"
        stream.codec_context.color_range = 1
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    content = film.getvalue()

    def found(name: bytes) -> bytes:
        at = content.index(name) - 4
        return content[at : at + int.from_bytes(content[at : at + 4], "big")]

    sample = found(b"mdat")[8:]
    properties = [found(b"hvcC"), _box(b"ispe", bytes(4), struct.pack(">II", width, height))]
    if profile:
        properties.append(_box(b"colr", b"prof", profile))
    linked = bytes([len(properties), *(0x80 * (n == 0) | n + 1 for n in range(len(properties)))])
    kind = _box(b"ftyp", b"heic", bytes(4), b"mif1heic")

    def meta(offset: int) -> bytes:
        where = struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(sample))
        entry = _box(b"infe", b"\2\0\0\0", struct.pack(">HH", 1, 0), b"hvc1\0")
        return _box(
            b"meta",
            bytes(4),
            _box(b"hdlr", bytes(8), b"pict", bytes(13)),
            _box(b"pitm", bytes(4), b"\0\1"),
            _box(b"iloc", bytes(4), where),
            _box(b"iinf", bytes(4), b"\0\1", entry),
            _box(
                b"iprp",
                _box(b"ipco", *properties),
                _box(b"ipma", bytes(4), struct.pack(">IH", 1, 1), linked),
            ),
        )

    start = len(kind) + len(meta(0)) + 8
    path.write_bytes(kind + meta(start) + _box(b"mdat", sample))
    return path
