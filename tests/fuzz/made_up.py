"""Files made up from their own grammar: what a mutation of bytes hardly reaches."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from safetensors.numpy import save

from stylehead.style.learn import STATISTICS
from stylehead.types import TEMPLATES

Made = st.SearchStrategy[bytes]
LONG = "9" * 5000
"""More digits than Python reads as a number by itself."""
DEEP = 3000
"""Brackets inside each other."""

words = st.text(max_size=12) | st.sampled_from(["", "../../etc/passwd", "\x1b[31m", "[b]x[/b]"])
odd_numbers = st.sampled_from([0, -1, 1, 2**31, 2**63, 10**40, -(2**70)])
odd_floats = st.sampled_from([0.0, -0.0, 1e-300, 1e30, 1e308, -1e308, float("nan"), float("inf")])
numbers = odd_numbers | odd_floats | st.integers() | st.floats()
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
rates = st.sampled_from(["30", "25", "30000/1001", "0", "-1", "1e999999", "1/0", LONG, "nan", "x"])
KINDS = ("f4", "f8", "f2", "i1", "i8", "u8", "?")
lengths = st.sampled_from([0, 1, 3, 30, 31])


@st.composite
def arrays(draw: Any, shape: tuple[int, ...], odd: float = 0.15) -> np.ndarray:
    """Draw an array that mostly has this shape, of a kind and with numbers that may be odd."""
    chance = draw(st.floats(0, 1))
    if chance < odd:
        shape = tuple(draw(lengths) for _ in range(draw(st.integers(0, 4))))
    kind = draw(st.sampled_from(KINDS)) if odd < chance < 2 * odd else "f4"
    seed = draw(st.integers(0, 99))
    array = 0.1 * np.random.default_rng(seed).standard_normal(shape)
    if 2 * odd < chance < 3 * odd and array.size:
        array.flat[draw(st.integers(0, array.size - 1))] = draw(odd_floats)
    if 3 * odd < chance < 4 * odd:
        array *= draw(st.sampled_from([0, 1e4, 1e12, 1e30]))
    with np.errstate(all="ignore"):
        return array.astype(kind)


def turns(frames: int) -> st.SearchStrategy[np.ndarray]:
    return st.just(np.tile(np.eye(3, dtype=np.float32), (frames, 1, 1))) | arrays((frames, 3, 3))


def _some(draw: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields, perhaps without one of them."""
    gone = draw(st.sampled_from([None, None, None, *fields]))
    return {name: value for name, value in fields.items() if name != gone}


# ---- motions --------------------------------------------------------------------------------


@st.composite
def motions(draw: Any) -> bytes:
    """Draw a motion file."""
    frames = draw(lengths)
    fields = {
        "landmarks": draw(arrays((frames, 68, 3))),
        "neutral": draw(arrays((68, 3))),
        "rotation": draw(turns(frames)),
        "translation": draw(arrays((frames, 3))),
        "blink": draw(arrays((frames,))),
        "gaze": draw(arrays((frames, 2))),
        "fps": draw(
            st.sampled_from([[30, 1], [25], [0, 1], [10**15, 1], [1, 10**15], [30, 0], [1, 2, 3]])
            | st.lists(numbers, max_size=3)
        ),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in _some(draw, fields).items():
            archive.writestr(f"{name}.npy", _npy(draw, np.asarray(value)))
    return file.getvalue()


def _npy(draw: Any, array: np.ndarray) -> bytes:
    """Return an array as a file, whose header may promise more than there is."""
    file = io.BytesIO()
    if array.dtype == object:
        array = array.astype(str)
    np.save(file, array, allow_pickle=False)
    if draw(st.integers(0, 9)):
        return file.getvalue()
    shape = draw(st.sampled_from([(10**12, 68, 3), (10**9,), (-1, 3), (2**62, 2**62), (0, 10**18)]))
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape!r}, }}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + array.tobytes()


# ---- styles ---------------------------------------------------------------------------------


@st.composite
def styles(draw: Any) -> bytes:
    """Draw a style file."""
    frames = draw(lengths)
    fields: dict[str, np.ndarray] = {
        "motion.landmarks": draw(arrays((frames, 68, 3))),
        "motion.rotation": draw(turns(frames)),
        "motion.translation": draw(arrays((frames, 3))),
        "motion.blink": draw(arrays((frames,))),
        "motion.neutral": draw(arrays((68, 3))),
        "motion.times": draw(arrays((frames,))),
    }
    for template in TEMPLATES:
        fields[f"reference.{template}.landmarks"] = draw(arrays((68, 3), 0.05))
        fields[f"reference.{template}.rotation"] = np.eye(3, dtype=np.float32)
        fields[f"reference.{template}.expression"] = draw(arrays((52,), 0.05))
    about: dict[str, Any] = {
        "format": "2",
        "name": draw(words),
        "fps": draw(rates),
        "references": {
            template: {"seconds": 1.0, "score": draw(st.just(0.5) | numbers), "in_clip": True}
            for template in TEMPLATES
        },
        "statistics": {name: draw(st.just(0.5) | numbers) for name in sorted(STATISTICS)},
        "provenance": draw(st.dictionaries(words, words, max_size=2)),
    }
    if draw(st.booleans()):
        about["tuning"] = draw(
            st.just({"encoder": "whisper", "generator_sha256": "0" * 64}) | values
        )
        fields["tuning.down.memory/weight_ih_l0"] = draw(arrays((8, 30)))
    changed = draw(st.sampled_from([None, None, *about]))
    if changed:
        about[changed] = draw(values)
    text = draw(st.just(json.dumps(about)) | st.just("[" * DEEP) | st.just(json.dumps(LONG)))
    kept = {name: np.ascontiguousarray(value) for name, value in _some(draw, fields).items()}
    return save(kept, metadata={"stylehead_style": text})


# ---- texts ----------------------------------------------------------------------------------


def texts(*tokens: str) -> Made:
    """Draw texts of some tokens, and of anything else."""
    token = st.sampled_from(tokens) | st.text(max_size=6)
    return st.lists(token, max_size=30).map(
        lambda found: "".join(found).encode("utf-8", "surrogatepass")
    )


lrc = texts(
    *("[00:01.20]", "[99999999:59.999]", f"[{LONG}:00]", "[offset:", "250]", LONG, "]", "\n"),
    *("1=Anna:", "1+2: ", "Anna: ", f"{LONG}: ", " la ", "<00:01.5>", "[ti:x]", "\u0663: ", "\n"),
)
srt = texts(
    *("00:00:01,200", " --> ", "00:00:02,500", f"{LONG}:00:01,000", "\n", "\n\n", "1", "1: la"),
    *("<i>", "</i>", "<b " * 50, "{\\an8}", "99:59:59,999", "\u0663", "1=Anna:", "0: ", "\n"),
)
toml = texts(
    *("[a]\n", "[[a]]\n", "a", " = ", "1", LONG, "1e999", '"x"', "[", "]", "{", "}", ",", "\n"),
    *("name", "file", "sha256", "sources", "bytes", "inf", "nan", "1979-05-27", "true", "'''"),
    *("steps", "batch", "learning_rate", "synthetic_speech", "[" * DEEP, "a.b.c", "0x" + "f" * 999),
)


@st.composite
def manifests(draw: Any) -> bytes:
    """Draw a weights.toml whose entries have the right fields with odd values."""
    fields = ("name", "file", "role", "licence", "commercial", "origin", "format", "sha256")
    fields += ("sources", "bytes", "embedded", "profile", "sections", "prefix", "instead_of")
    lines: list[str] = []
    for title in draw(st.lists(st.sampled_from(["a", "b", "'x y'"]), unique=True)):
        lines.append(f"[{title}]")
        for field in draw(st.lists(st.sampled_from(fields), unique=True)):
            lines.append(f"{field} = {as_toml(draw(_plausible(field) | values))}")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _plausible(field: str) -> st.SearchStrategy[Any]:
    known: dict[str, Any] = {
        "commercial": "yes",
        "format": "pth",
        "sha256": "0" * 64,
        "sources": [{"url": "https://x"}],
        "bytes": 3,
        "embedded": False,
        "profile": "vid2vid",
        "sections": {"a": "b."},
        "file": "x.pth",
    }
    return st.just(known.get(field, "text"))


def as_toml(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(key)} = {as_toml(one)}" for key, one in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    return "''" if value is None else json.dumps(value).replace("NaN", "nan").replace("Inf", "inf")


MADE: dict[str, tuple[str, Callable[[], Made]]] = {
    "made-up motion": ("npz", motions),
    "made-up style": ("style", styles),
    "made-up lrc": ("lrc", lambda: lrc),
    "made-up srt": ("srt", lambda: srt),
    "made-up recipe": ("toml", lambda: toml),
    "made-up manifest": ("toml", lambda: manifests() | toml),
}
"""Target -> its files' ending, and what draws them."""
