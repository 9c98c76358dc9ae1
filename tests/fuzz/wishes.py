"""What somebody may ask for: settings, lists of jobs and requests, made up from the options."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from stylehead.cli.jobs import columns
from stylehead.cli.page.form import Entry, entries
from tests.fuzz.made_up import LONG, Made, as_toml, texts, toml, values

FACE, VOICE, MOVES, WORDS = "face.png", "voice.wav", "moves.npz", "words.lrc"
"""Files that lie where these are read."""
TINY: dict[str, Any] = {
    **{"image": FACE, "audio": VOICE, "crop": True, "size": 128, "fps": 10, "duration": 0.3},
    "separate": "filter",
}
PRESET = "p"

names = st.sampled_from(
    (
        *(FACE, VOICE, MOVES, WORDS, "none.png", "", ".", "..", "/", "-", "x" * 300, f"{FACE}/x"),
        *("a\0b", "\ud800", "~", "\x1b[2J", f"1={VOICE}", "plain", "plain:2", "lively:-1", ":"),
        *("=", "mouth="),
    )
)
figures = st.sampled_from(["0", "-1", "1", "2", "25", "30000/1001", "1/0", "1e400", "nan", "inf"])
known = {one.name: one for one in entries()}


def _wish(name: str) -> st.SearchStrategy[Any]:
    """Draw what may be given for an option: mostly something of its kind."""
    one = known.get(name.replace("-", "_"))
    fitting = names if one is None else _fitting(one)
    return st.one_of(fitting, fitting, fitting, values, figures, st.just(LONG))


def _fitting(one: Entry) -> st.SearchStrategy[Any]:
    if one.kind is bool:
        return st.booleans() | st.sampled_from(["true", "no", 1])
    if issubclass(one.kind, Enum):
        return st.sampled_from([each.value for each in one.kind])
    if one.kind in (int, float):
        low, high = (-9 if one.low is None else one.low), (99 if one.high is None else one.high)
        some = [low, high, (low + high) / 2, low - 1, high + 1, 1, 0.5]
        return st.sampled_from(some).map(one.kind) | figures
    return names


@st.composite
def options(draw: Any, least: int = 0) -> dict[str, Any]:
    """Draw some options with what is given for them."""
    listed = st.sampled_from(sorted(columns()))
    some = draw(st.lists(listed | st.text(max_size=8), min_size=least, max_size=4, unique=True))
    return {name: draw(_wish(name)) for name in some}


@st.composite
def settings(draw: Any) -> bytes:
    """Draw a stylehead.toml."""
    if draw(st.integers(0, 9)) == 0:
        return draw(toml)
    tables = {"animate": draw(options()), f"preset.{PRESET}": draw(options())}
    tables["motion"] = draw(options())
    extra = draw(
        st.sampled_from(["", "", "", "preset = 3\n", "[other]\n", "[[animate]]\n", "a = 1"])
    )
    text = "".join(f"[{name}]\n{_lines(table)}" for name, table in tables.items())
    return (text + extra).encode("utf-8", "surrogatepass")


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{json.dumps(name)} = {as_toml(value)}\n" for name, value in table.items())


@st.composite
def _rows(draw: Any) -> list[dict[str, Any]]:
    """Draw rows of a list of jobs: small ones, with something odd about them."""
    rows: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        gone = draw(st.sampled_from([None, None, None, *TINY]))
        row = {name: value for name, value in TINY.items() if name != gone}
        rows.append(row | draw(options()))
    if draw(st.booleans()):
        rows[0]["output"] = draw(
            names | st.sampled_from(["a.mp4", "a.gif", "sub/a.webm", "../a.mp4"])
        )
    return rows


def jobs(form: str) -> Made:
    """Draw a list of jobs as CSV, TOML or JSON lines."""
    written = {"csv": _as_csv, "toml": _as_toml, "jsonl": _as_lines}[form]
    row = json.dumps(TINY)
    loose = texts(
        *("image", "audio", ",", ";", "\n", '"', f"{FACE},{VOICE}", "[[job]]\n", row, LONG)
    )
    return st.one_of(*[_rows().map(written)] * 5, loose)


def _as_csv(rows: list[dict[str, Any]]) -> bytes:
    told = io.StringIO(newline="")
    writer = csv.DictWriter(told, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return told.getvalue().encode("utf-8", "surrogatepass")


def _as_toml(rows: list[dict[str, Any]]) -> bytes:
    text = "".join(f"[[job]]\n{_lines(row)}" for row in rows)
    return text.encode("utf-8", "surrogatepass")


def _as_lines(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


# ---- the page -------------------------------------------------------------------------------

uploads = st.sampled_from(["portrait", "recording", "clip", "lyrics"])
paths = st.sampled_from(
    ["/etc/hostname", "stylehead.toml", "file:///etc/hostname", "\0", "", "x" * 5000]
)
files = (
    uploads.map(lambda name: {"upload": name})
    | paths.map(lambda path: {"path": path, "meta": {"_type": "gradio.FileData"}})
    | values
)


@st.composite
def requests(draw: Any) -> bytes:
    """Draw what a program asks the page for (JSON): uploads, and the words of a call.

    {"upload": NAME} stands for where an upload went.
    """
    small = {name: TINY[name] for name in ("crop", "size", "fps", "duration", "separate")}
    wished = {name.replace("-", "_"): value for name, value in draw(options()).items()}
    given = draw(st.dictionaries(st.sampled_from(sorted(known)), files, max_size=1))
    voice = st.fixed_dictionaries({"face": st.just(1) | values, "stem": files}) | values
    words: dict[str, Any] = {
        "image": {"upload": "portrait"},
        "audio": {"upload": "recording"},
        "style": "plain",
        "style_video": None,
        "format": draw(st.sampled_from([".mp4", ".gif", ".webm", "/", ".exe"])),
        "options": small | wished | given,
        "voices": draw(st.none() | st.lists(voice, max_size=2)),
        "preview": draw(st.booleans()),
    }
    odd = draw(st.sampled_from([None, None, None, *words]))
    if odd:
        words[odd] = draw(files | values)
    asked = {
        "names": draw(st.lists(names | st.text(max_size=20), min_size=1, max_size=4)),
        "seed": draw(st.integers(0, 999)),
        "damaged": draw(st.none() | uploads),
        "data": list(words.values())[: draw(st.sampled_from([8, 8, 8, 3, 0]))],
        "raw": draw(st.sampled_from([None, None, None, None, "[" * 5000, "{", "null", "\ud800"])),
    }
    return json.dumps(asked).encode()


MADE = {
    "made-up settings": ("toml", settings),
    "made-up jobs csv": ("csv", lambda: jobs("csv")),
    "made-up jobs toml": ("toml", lambda: jobs("toml")),
    "made-up jobs jsonl": ("jsonl", lambda: jobs("jsonl")),
    "page": ("json", requests),
}
"""Target -> its files' ending, and what draws them."""


def lay(folder: Path) -> None:
    """Put the files that are named here into a folder."""
    from stylehead.motion.file import save_motion
    from tests.fuzz import seeds
    from tests.stand_ins import media
    from tests.stand_ins.faces import performed_motion

    folder.mkdir(parents=True)
    seeds.with_face(folder, "png")
    media.save_sound(folder / VOICE, media.voice(0.4))
    save_motion(performed_motion(0.3, fps=10, blinks=0), folder / MOVES)
    (folder / WORDS).write_text(seeds.LYRICS["lrc"], encoding="utf-8")
