"""The ComfyUI node, with stand-ins for ComfyUI and for the command."""

from __future__ import annotations

import importlib.util
import shlex
import sys
import wave
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import stylehead

FOLDER = Path(stylehead.__file__).parent.parent / "examples" / "comfyui"
COMMAND = """
import json, pathlib, sys, time
words = sys.argv[1:]
output = pathlib.Path(words[words.index("--output") + 1])
def tell(**event): print(json.dumps(event), flush=True)
tell(event="started")
if "--fail" in words:
    tell(event="failed", problem="No face.", remedy="Take another.")
    sys.exit(1)
if "--crash" in words:
    sys.exit("Error: there is no such file.")
if "--wrong" in words:
    frame = ["\u256d\u2500 Error \u2500\u256e", "\u2502 No such \u2502", "\u2502 option. \u2502"]
    sys.exit("\\n".join(["Usage: animate", *frame, "\u2570\u2500\u256f"]))
if "--wait" in words:
    output.with_suffix(".waits").touch()
    time.sleep(60)
tell(event="progressed", stage="Rendering", done=3, total=4)
output.write_bytes(b"video")
tell(event="finished", facts={"words": words})
"""


class Schema(SimpleNamespace):
    """What a node declares."""


def declared(kind: str) -> Any:
    def port(*args: object, **more: object) -> Schema:
        return Schema(kind=kind, name=args[0] if args else kind, **more)

    return SimpleNamespace(Input=port, Output=port)


@pytest.fixture
def steps() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[int, int]]) -> Any:
    """The node's module in a ComfyUI of stand-ins, with a command that only tells."""
    (tmp_path / "command.py").write_text(COMMAND, encoding="utf-8")
    words = [sys.executable, str(tmp_path / "command.py")]
    monkeypatch.setenv("STYLEHEAD", shlex.join(words))
    ports = {name: declared(name) for name in ("Image", "Audio", "String", "Int", "Video")}
    io = SimpleNamespace(ComfyNode=object, Schema=Schema, NodeOutput=tuple_of, **ports)
    bar = SimpleNamespace(update_absolute=lambda done, total: steps.append((done, total)))
    there = {
        "comfy": {},
        "comfy.model_management": {"throw_exception_if_processing_interrupted": lambda: None},
        "comfy.utils": {"ProgressBar": lambda total: bar},
        "folder_paths": {"get_temp_directory": lambda: str(tmp_path)},
        "comfy_api": {},
        "comfy_api.latest": {
            "ComfyExtension": object,
            "InputImpl": SimpleNamespace(VideoFromFile=Path),
            "io": io,
        },
    }
    for name, values in there.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    spec = importlib.util.spec_from_file_location(
        "comfyui_stylehead", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "comfyui_stylehead", module)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("comfyui_stylehead.command", None)


def tuple_of(*values: object) -> tuple[object, ...]:
    return values


def execute(node: Any, options: str = "", style_video: str = "") -> Path:
    picture = np.zeros((1, 4, 6, 3), np.float32)
    picture[..., 0] = 1.0
    sound = {"waveform": np.float32([[[0.0, 0.5, -1.0], [1.0, 0.0, 0.0]]]), "sample_rate": 16_000}
    (video,) = node.StyleheadAnimate.execute(
        picture, sound, "lively", style_video, 25, 3, f"--crop {options}"
    )
    return video


def test_the_node_hands_over_picture_sound_and_options(node, steps):
    video = execute(node)
    assert video.read_bytes() == b"video"
    assert steps == [(3, 4)]
    with wave.open(str(video.with_name("audio.wav"))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 16_000, 3)
        samples = np.frombuffer(file.readframes(3), "<i2").reshape(3, 2)
    np.testing.assert_array_equal(samples, [[0, 32767], [16383, 0], [-32767, 0]])
    assert video.with_name("portrait.png").is_file()


def test_the_words_are_options_of_animate_that_there_are(node, tmp_path):
    from stylehead.cli.jobs import read_request

    for clip, style in (("", ["lively"]), ("clip.mp4", None)):
        said: list[list[str]] = []
        node.command.animate = lambda given, said=said, **_: said.append(given)
        execute(node, style_video=clip)
        request = read_request(said[0])
        assert (request.style, bool(request.style_video)) == (style, bool(clip))
        assert (request.options.fps, request.options.seed, request.options.crop) == (25, 3, True)


def test_the_schema_names_the_ports_that_execute_takes(node):
    schema = node.StyleheadAnimate.define_schema()
    names = [port.name for port in schema.inputs]
    assert names == ["portrait", "audio", "style", "style_video", "fps", "seed", "options"]
    assert [port.kind for port in schema.outputs] == ["Video"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--fail", "No face. Take another."),
        ("--crash", "Error: there is no such file."),
        ("--wrong", "No such option."),
    ],
)
def test_a_failure_is_said_with_its_remedy(node, options, said):
    with pytest.raises(node.command.CommandError) as caught:
        execute(node, options)
    assert str(caught.value) == said


def test_cancelling_ends_the_command_at_once(node, tmp_path, monkeypatch):
    class InterruptError(Exception):
        pass

    def check() -> None:
        if list(tmp_path.rglob("*.waits")):
            raise InterruptError

    management = sys.modules["comfy.model_management"]
    monkeypatch.setattr(management, "throw_exception_if_processing_interrupted", check)
    with pytest.raises(InterruptError):
        execute(node, "--wait")
    assert not list(tmp_path.rglob("video.mp4"))  # which it writes after a minute


def test_without_the_command_it_is_said_how_to_name_it(node, monkeypatch):
    monkeypatch.delenv("STYLEHEAD")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(node.command.CommandError, match="STYLEHEAD"):
        execute(node)
