"""The commands do what they say: measured in the files they write."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from stylehead import __version__
from stylehead.cli.doctor import run_checks
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import REGIONS, interocular, mouth_opening, to_68
from stylehead.files import digest
from stylehead.media.segment import Segment
from stylehead.motion.file import load_motion, save_motion
from stylehead.pipeline import unfinished
from stylehead.pipeline.film import Shot, film
from stylehead.provenance.verify import unsigned_sha256
from stylehead.rendering.portrait_mesh import build_portrait_mesh
from stylehead.style.file import load_style
from stylehead.style.learn import blink_count
from stylehead.tracking.clip import track_video
from stylehead.tracking.portrait import find_portrait
from stylehead.types import Motion
from stylehead.weights import store
from stylehead.weights.store import asset, read_manifest
from tests.conftest import FILTERED, QUICK, Command, Outcome, command, environment
from tests.stand_ins import media

BUILT_IN = sorted(path.stem for path in (asset("styles")).glob("*.style"))
BROWS, MOUTH = list(REGIONS["brows"]), list(REGIONS["mouth"])


@pytest.fixture
def moved(call: Command, tmp_path: Path) -> Callable[..., Motion]:
    """Run `motion` on the demo voice and return what it wrote."""
    numbers = itertools.count()

    def go(*words: object, audio: Path = media.VOICE) -> Motion:
        path = tmp_path / f"{next(numbers)}.npz"
        outcome = call("motion", "--audio", audio, "-o", path, *FILTERED, *words)
        assert outcome.code == 0, outcome
        assert outcome.stdout == f"{path}\n"
        return load_motion(path)

    return go


def angles(motion: Motion) -> np.ndarray:
    """Return pitch, yaw and roll in degrees, (T, 3)."""
    return angles_from_rotation(motion.rotation)


def tags(video: Path) -> dict[str, str]:
    with av.open(str(video)) as container:
        return dict(container.metadata)


# ---- help and version -----------------------------------------------------------------------


def spent(*words: str, says: bytes = b"") -> float:
    """The processor's seconds of a command that says something, the fewer of two runs."""
    seconds: list[float] = []
    for _ in range(2):
        with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE) as child:
            assert child.stdout and says in child.stdout.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        seconds.append(usage.ru_utime + usage.ru_stime)
    return min(seconds)


def test_help_takes_little_more_than_what_shows_it() -> None:
    # 1.8 to 2.0 times as much; each library that is loaded for nothing adds to it, NumPy 0.4.
    needed = spent(sys.executable, "-c", "import typer.rich_utils")
    assert spent(*command("--help"), says=b"animate") < 2.4 * needed


@pytest.mark.parametrize(
    "name",
    ["animate", "motion", "extract-style", "styles", "demo", "doctor", "prepare", "train motion"],
)
def test_every_command_has_help(call: Command, name: str) -> None:
    outcome = call(*name.split(), "--help")
    assert outcome.code == 0
    assert f"stylehead {name}" in outcome.stdout
    assert outcome.stderr == ""


def test_without_a_word_the_help_is_shown(call: Command) -> None:
    outcome = call()
    assert "extract-style" in outcome.stdout + outcome.stderr


def test_the_version_is_one_line(call: Command) -> None:
    assert call("--version") == (0, f"stylehead {__version__}\n", "")


# ---- animate: the file ----------------------------------------------------------------------


@pytest.mark.parametrize(("fps", "seconds"), [(10, 1.03), (25, 0.99), (60, 0.501), (30, 0.5)])
def test_the_video_is_never_shorter_than_its_sound(
    animate: Command, output: Path, fps: int, seconds: float
) -> None:
    assert animate("--fps", fps, "--duration", seconds).code == 0
    frames, times = media.read_video(output)
    assert len(frames) == math.ceil(seconds * fps)
    np.testing.assert_allclose(times, np.arange(len(frames)) / fps, atol=1e-3)
    with av.open(str(output)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert video.average_rate == fps
        assert float(video.duration * video.time_base) >= seconds - 1e-3
        assert float(sound.duration * sound.time_base) == pytest.approx(seconds, abs=1e-3)
    assert len(media.read_sound(output)) / 16_000 >= seconds - 1e-3


def test_all_of_the_sound_is_used_unless_told_otherwise(
    call: Command, portrait: Path, speech: Path, output: Path
) -> None:
    words = ("--crop", "--size", 128, "--fps", 10)
    assert call("animate", "--image", portrait, "--audio", speech, "-o", output, *words).code == 0
    assert len(media.read_video(output)[0]) == 25
    late, alike = media.lag(media.voice(2.5), media.read_sound(output))
    assert abs(late) <= 0.1
    assert alike > 0.95


def test_the_sound_is_in_its_place_within_a_frame(clip: Path) -> None:
    late, alike = media.lag(media.voice(3), media.read_sound(clip))
    assert abs(late) <= 1 / 25
    assert alike > 0.95


def test_the_mouth_that_is_seen_is_the_mouth_of_the_motion_frame_by_frame(clip: Path) -> None:
    points = to_68(track_video(clip).mesh)
    seen = mouth_opening(points) / interocular(points)
    motion = load_motion(clip.with_suffix(".npz"))
    meant = mouth_opening(motion.landmarks + motion.neutral)
    assert len(seen) == len(meant) == 75
    shifts = {
        shift: np.corrcoef(seen[5 + shift : 70 + shift], meant[5:70])[0, 1]
        for shift in range(-5, 6)
    }
    best = max(shifts, key=lambda shift: shifts[shift])
    assert abs(best) <= 1, shifts
    assert shifts[0] > 0.8, shifts


def test_start_and_duration_cut_out_the_part(call: Command, portrait: Path, output: Path) -> None:
    words = ("--crop", "--size", 128, "--fps", 10, "--start", 3, "--duration", 1.5)
    outcome = call("animate", "--image", portrait, "--audio", media.VOICE, "-o", output, *words)
    assert outcome.code == 0
    assert len(media.read_video(output)[0]) == 15
    wanted = media.voice()[3 * 16_000 : int(4.5 * 16_000)]
    late, alike = media.lag(wanted, media.read_sound(output))
    assert abs(late) <= 0.1
    assert alike > 0.95


def test_the_video_says_what_it_is_and_what_made_it(clip: Path) -> None:
    found = tags(clip)
    assert found["title"] == f"{clip.stem} (AI-generated)"
    assert found["comment"].startswith("AI-generated")
    assert found["software"] == f"stylehead {__version__}"
    entries = read_manifest()
    encoder = found["stylehead_encoder"]
    seen_by = {
        "face_landmarker",
        "selfie_segmenter",
        "face_model",
        "appearance",
        "style_mapping",
        "style_generator",
    }
    used = seen_by | {
        "voice_filter",
        "pose",
        "face_shapes",
        f"motion_{encoder}",
        f"encoder_{encoder}",
    }
    assert json.loads(found["stylehead_weights"]) == {
        name: str(entry.sha256)[:16] for name, entry in entries.items() if name in used
    }
    style = json.loads(found["stylehead_style"])
    plain = load_style(asset("styles") / "plain.style")
    assert style == {"name": "plain", "source_sha256": plain.provenance["source_sha256"]}
    assert found["stylehead_seed"] == "0"


def test_the_json_says_what_is_in_the_file(clip: Path) -> None:
    text = clip.with_suffix(".json").read_text()
    assert text.count("\n") == 1
    said = json.loads(text)
    frames, _ = media.read_video(clip)
    assert said["output"] == str(clip)
    assert (said["frames"], said["height"], said["width"]) == frames.shape[:3]
    assert (said["fps"], said["seconds"], said["style"], said["seed"]) == (25, 3.0, "plain", 0)
    assert said["not_in_clip"] == []
    assert said["device"] in ("cpu", "cuda")
    assert {"portrait", "motion", "rendering"} <= set(said["stages"])
    assert all(seconds >= 0 for seconds in said["stages"].values())


def test_stdout_is_the_path_and_quiet_says_nothing_else(
    call: Command, portrait: Path, speech: Path, output: Path, glance: tuple[object, ...]
) -> None:
    words = ("animate", "--image", portrait, "--audio", speech, "-o", output, *QUICK, *glance)
    assert call("--quiet", *words) == (0, f"{output}\n", "")
    outcome = call(*words, "--overwrite")
    assert outcome.stdout == f"{output}\n"
    assert "3 frames of 128 x 128" in outcome.stderr


@pytest.mark.parametrize("size", [128, 202])
def test_size_is_the_side_of_the_crop(
    animate: Command, output: Path, glance: tuple[object, ...], size: int
) -> None:
    assert animate("--size", size, *glance).code == 0
    assert media.read_video(output)[0].shape == (3, size, size, 3)


@pytest.mark.parametrize(("width", "height"), [(512, 512), (641, 517)])
def test_without_crop_the_whole_picture_is_shown_at_its_own_size(
    call: Command,
    tmp_path: Path,
    output: Path,
    glance: tuple[object, ...],
    width: int,
    height: int,
) -> None:
    canvas = np.full((height, width, 3), 120, np.uint8)
    canvas[:512, :512] = media.portrait()
    image = media.save_picture(tmp_path / "picture.png", canvas)
    words = ("--fps", 10, *glance)
    outcome = call("animate", "--image", image, "--audio", media.VOICE, "-o", output, *words)
    assert outcome.code == 0
    frames, _ = media.read_video(output)
    assert frames.shape == (3, height // 2 * 2, width // 2 * 2, 3)  # H.264 has even sides
    shown = frames[0].astype(int) - canvas[: frames.shape[1], : frames.shape[2]]
    assert np.median(np.abs(shown)) <= 2


def test_paste_back_leaves_the_picture_around_the_crop_alone(
    call: Command, tmp_path: Path, output: Path
) -> None:
    canvas = media.resized(media.landscape(640, 480), (1000, 760))
    canvas[150:662, 250:762] = media.portrait()
    image = media.save_picture(tmp_path / "picture.png", canvas)
    words = ("--fps", 10, "--duration", 1, "--pose", 3, "--expression", 2)
    outcome = call("animate", "--image", image, "--audio", media.VOICE, "-o", output, *words)
    assert outcome.code == 0
    frames = media.read_video(output)[0].astype(np.float32)
    rig = build_portrait_mesh(find_portrait(canvas, name="picture"), size=None)
    left, top = rig.corner.astype(int)
    inside = np.zeros(canvas.shape[:2], bool)
    inside[max(top, 0) : top + rig.size, max(left, 0) : left + rig.size] = True
    assert 0.05 < inside.mean() < 0.5
    lost = np.abs(frames - canvas).mean(-1)  # by the codec
    assert lost[:, ~inside].mean() < 2.5
    assert np.percentile(lost[:, ~inside], 99.9) < 30
    change = np.abs(frames - frames[0]).mean(-1).max(0)
    assert np.percentile(change[~inside], 99) < 8
    assert np.percentile(change[inside], 90) > 15, "and the head moves"


def test_without_appearance_the_skin_is_only_moved(
    animate: Command, output: Path, glance: tuple[object, ...]
) -> None:
    words = (*glance[:2], "--duration", 0.3, "--no-mark", "--overwrite")
    assert animate(*words, "--appearance").code == 0
    folded = media.read_video(output)[0].astype(int)
    assert animate(*words).code == 0
    np.testing.assert_array_equal(folded, media.read_video(output)[0])  # as without a word
    assert animate(*words, "--no-appearance").code == 0
    moved = media.read_video(output)[0]
    away = np.abs(folded - moved).max(-1)
    assert 0 < (away > 3).mean() < 0.4  # the face, and not all of the picture


# ---- animate and motion: controls -----------------------------------------------------------


def test_the_same_seed_gives_the_same_frames(animate: Command, output: Path) -> None:
    assert animate("--seed", 7).code == 0
    first = media.read_video(output)[0]
    assert animate("--seed", 7, "--overwrite").code == 0
    np.testing.assert_array_equal(media.read_video(output)[0], first)
    assert animate("--seed", 8, "--overwrite").code == 0
    assert np.abs(media.read_video(output)[0].astype(int) - first).max() > 20
    assert tags(output)["stylehead_seed"] == "8"


def test_another_seed_moves_the_head_differently_and_the_mouth_alike(
    moved: Callable[..., Motion],
) -> None:
    one, again, other = moved("--seed", 1), moved("--seed", 1), moved("--seed", 2)
    np.testing.assert_array_equal(one.rotation, again.rotation)
    np.testing.assert_array_equal(one.landmarks, again.landmarks)
    for axis in range(3):
        assert np.corrcoef(angles(one)[:, axis], angles(other)[:, axis])[0, 1] < 0.9
    first, second = (mouth_opening(each.landmarks + each.neutral) for each in (one, other))
    assert np.corrcoef(first, second)[0, 1] > 0.98
    # Slow expression belongs to the gestures: corners rise and fall a little with them.
    np.testing.assert_allclose(one.landmarks[:, MOUTH], other.landmarks[:, MOUTH], atol=0.06)


def test_a_recording_of_one_frame_moves_for_one_frame(moved: Callable[..., Motion]) -> None:
    motion = moved("--start", 0.5, "--duration", 0.1, "--fps", 10)
    assert len(motion) == 1
    assert np.isfinite(motion.landmarks).all()


def test_still_keeps_the_head_still_and_the_blinks(moved: Callable[..., Motion]) -> None:
    usual, still = moved("--blink", 30), moved("--blink", 30, "--still")
    np.testing.assert_allclose(still.rotation, np.tile(np.eye(3), (len(still), 1, 1)), atol=1e-6)
    assert np.abs(still.translation).max() == 0
    assert blink_count(still.blink) >= 2
    np.testing.assert_array_equal(still.blink, usual.blink)
    np.testing.assert_array_equal(still.landmarks, usual.landmarks)
    assert np.abs(angles(usual)).max() > 1


def test_still_is_seen_in_the_picture(animate: Command, output: Path, clip: Path) -> None:
    words = ("--size", 256, "--fps", 25, "--duration", 1.5, "--still", "--blink", 0)
    assert animate(*words, audio=media.VOICE).code == 0

    def wandering(video: Path) -> float:
        corners = to_68(track_video(video, duration=1.5).mesh)[:, (36, 39, 42, 45), :2]
        unit = np.linalg.norm(corners[:, 0] - corners[:, 3], axis=-1).mean()
        return float(corners.mean(1).std(0).max() / unit)

    assert wandering(output) < 0.25 * wandering(clip)


def test_expression_is_a_factor_on_the_face_alone(moved: Callable[..., Motion]) -> None:
    one, double, none = (moved("--expression", factor) for factor in (1, 2, 0))
    np.testing.assert_allclose(double.landmarks[:, BROWS], 2 * one.landmarks[:, BROWS], atol=1e-5)
    assert np.abs(none.landmarks).max() < 1e-4
    openings = [np.ptp(mouth_opening(each.landmarks + each.neutral)) for each in (one, double)]
    assert openings[1] > 1.5 * openings[0] > 0.03
    for other in (double, none):
        np.testing.assert_array_equal(other.rotation, one.rotation)
        np.testing.assert_array_equal(other.blink, one.blink)


def test_pose_is_a_factor_on_the_head_alone(moved: Callable[..., Motion]) -> None:
    # Posture is bounded by what the portrait can show, and so no factor.
    one, double, none = (moved("--pose", factor, "--posture", 0) for factor in (1, 2, 0))
    np.testing.assert_allclose(angles(double), 2 * angles(one), atol=0.02)
    np.testing.assert_allclose(double.translation, 2 * one.translation, atol=1e-5)
    assert np.abs(angles(one)).max() > 1
    assert np.abs(angles(none)).max() < 1e-3
    for other in (double, none):
        np.testing.assert_array_equal(other.landmarks, one.landmarks)
        np.testing.assert_array_equal(other.blink, one.blink)


def test_blink_is_the_number_of_blinks_a_minute(
    moved: Callable[..., Motion], tmp_path: Path
) -> None:
    half_a_minute = media.save_sound(tmp_path / "long.wav", np.resize(media.voice(), 30 * 16_000))
    counts = {}
    for rate in (20, 50):
        motion = moved("--blink", rate, audio=half_a_minute)
        counts[rate] = blink_count(motion.blink)
        assert 0 <= motion.blink.min() <= motion.blink.max() <= 1
    assert 6 <= counts[20] <= 14
    assert 19 <= counts[50] <= 31


def test_blink_leaves_the_head_and_the_mouth_alone(moved: Callable[..., Motion]) -> None:
    none, many = moved("--blink", 0), moved("--blink", 50)
    assert none.blink.max() == 0
    assert many.blink.max() > 0.9
    np.testing.assert_array_equal(none.rotation, many.rotation)
    np.testing.assert_array_equal(none.landmarks, many.landmarks)


def test_fps_changes_the_sampling_and_not_the_motion(moved: Callable[..., Motion]) -> None:
    slow, fast = moved("--fps", 30, "--duration", 5), moved("--fps", 60, "--duration", 5)
    assert (slow.fps, fast.fps) == (30, 60)
    assert (len(slow), len(fast)) == (150, 300)
    one, two = (mouth_opening(each.landmarks + each.neutral) for each in (slow, fast))
    assert np.corrcoef(one, two[::2])[0, 1] > 0.97


def test_a_livelier_style_moves_more(moved: Callable[..., Motion]) -> None:
    plain, lively = moved("--style", "plain"), moved("--style", "lively")
    wanted = [
        load_style(asset("styles") / f"{name}.style").statistics for name in ("plain", "lively")
    ]
    openings = [np.ptp(mouth_opening(each.landmarks + each.neutral)) for each in (plain, lively)]
    heads = [angles(each).std(0).sum() for each in (plain, lively)]
    asked = [
        (one["mouth_opening_range"], sum(v for k, v in one.items() if k.endswith("std_degrees")))
        for one in wanted
    ]
    # Not how lively the styles are, but that the motion follows their order.
    assert (openings[1] > openings[0]) == (asked[1][0] > asked[0][0])
    assert (heads[1] > heads[0]) == (asked[1][1] > asked[0][1])


def test_motion_and_animate_make_the_same_motion(
    animate: Command, moved: Callable[..., Motion], tmp_path: Path, speech: Path
) -> None:
    words = ("--fps", 10, "--duration", 1, "--seed", 3, "--pose", 2, "--style", "lively")
    saved = tmp_path / "saved.npz"
    assert animate("--save-motion", saved, *words).code == 0
    one, other = load_motion(saved), moved(*words, audio=speech)
    for name in ("landmarks", "rotation", "translation", "blink", "neutral"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.fps == other.fps == 10


# ---- speech encoders ------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", ["whisper", "apc"])
def test_the_video_names_its_speech_encoder(animate: Command, output: Path, encoder: str) -> None:
    assert animate("--encoder", encoder).code == 0
    assert tags(output)["stylehead_encoder"] == encoder


def test_a_video_of_a_saved_motion_names_no_encoder(
    animate: Command, clip: Path, output: Path
) -> None:
    assert animate("--motion", clip.with_suffix(".npz")).code == 0
    assert tags(output)["stylehead_encoder"] == "saved motion"


@pytest.mark.parametrize("encoder", ["whisper", "apc"])
def test_every_encoder_moves_the_mouth_while_somebody_speaks(
    moved: Callable[..., Motion], tmp_path: Path, encoder: str
) -> None:
    samples = np.concatenate([media.voice(3), np.zeros(3 * 16_000, np.float32)])
    audio = media.save_sound(tmp_path / "paused.wav", samples)
    motion = moved("--encoder", encoder, "--fps", 30, audio=audio)
    curve = mouth_opening(motion.landmarks + motion.neutral)
    assert curve[:85].std() > 10 * curve[110:].std()


# ---- saved motions --------------------------------------------------------------------------


def test_a_saved_motion_renders_to_the_same_frames(
    animate: Command, tmp_path: Path, output: Path
) -> None:
    saved = tmp_path / "saved.npz"
    assert animate("--save-motion", saved, "--seed", 5).code == 0
    direct = media.read_video(output)[0]
    assert animate("--motion", saved, "--overwrite").code == 0
    np.testing.assert_array_equal(media.read_video(output)[0], direct)


def test_a_saved_motion_can_be_edited(animate: Command, tmp_path: Path, output: Path) -> None:
    saved, edited = tmp_path / "saved.npz", tmp_path / "edited.npz"
    assert animate("--save-motion", saved, "--still").code == 0
    direct = media.read_video(output)[0]
    with np.load(saved) as arrays:
        fields = dict(arrays)
    fields["translation"][:, 0] = np.linspace(0, 0.3, len(fields["translation"]))
    np.savez(edited, **fields)
    assert animate("--motion", edited, "--overwrite").code == 0
    changed = media.read_video(output)[0].astype(int)
    change = np.abs(changed - direct).mean((1, 2, 3))
    assert change[0] < change[-1] / 3, "only the codec's share at the start"

    def place(frame: np.ndarray) -> float:
        return float(find_portrait(frame, name="frame").face.mesh[:, 0].mean())

    assert place(media.read_video(output)[0][-1]) - place(direct[-1]) > 4


@pytest.mark.parametrize("seconds", [0.4, 3.0])
def test_a_saved_motion_is_held_or_cut_to_the_sound_and_brought_to_the_frame_rate(
    animate: Command, clip: Path, tmp_path: Path, output: Path, seconds: float
) -> None:
    motion = load_motion(clip.with_suffix(".npz"))
    rows = slice(0, round(seconds * 25))
    part = tmp_path / "part.npz"
    cut = {
        name: getattr(motion, name)[rows]
        for name in ("landmarks", "rotation", "translation", "blink", "gaze")
    }
    save_motion(motion.with_(**cut), part)
    assert animate("--motion", part, "--fps", 20).code == 0
    frames, _ = media.read_video(output)
    assert len(frames) == 20
    late = np.abs(np.diff(frames[12:].astype(int), axis=0)).mean()
    assert (late < 0.5) == (seconds == 0.4), "the last frame is held"


def test_controls_turn_a_saved_motion_too(animate: Command, clip: Path, tmp_path: Path) -> None:
    saved, again = clip.with_suffix(".npz"), tmp_path / "again.npz"
    words = ("--motion", saved, "--fps", 25, "--save-motion", again)
    assert animate(*words, "--still", "--expression", 2).code == 0
    before, after = load_motion(saved), load_motion(again)
    count = len(after)
    assert np.abs(after.translation).max() == 0
    assert np.abs(angles(after)).max() < 1e-3
    np.testing.assert_allclose(
        after.landmarks[:, BROWS], 2 * before.landmarks[:count, BROWS], atol=1e-5
    )
    np.testing.assert_array_equal(after.blink, before.blink[:count])


# ---- styles ---------------------------------------------------------------------------------


@pytest.fixture
def own_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the model files and no styles of the user's yet."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "weights").symlink_to(home / "weights", target_is_directory=True)
    monkeypatch.setenv("STYLEHEAD_HOME", str(folder))
    return folder


def names_in(style: Path) -> dict[str, tuple[str, list[int]]]:
    """Return name -> (type, shape) of what a style file holds."""
    with safe_open(style, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return {name: (str(array.dtype), list(array.shape)) for name, array in arrays.items()}


class Learned(NamedTuple):
    """What learning from the clip said, and what it wrote."""

    outcome: Outcome
    style: Path
    sheet: Path


@pytest.fixture(scope="module")
def kept() -> list[Learned]:
    return []


@pytest.fixture
def learned(
    call: Command, clip: Path, kept: list[Learned], tmp_path_factory: pytest.TempPathFactory
) -> Learned:
    """Run `extract-style` on the clip with all that it writes; tests read one run's results."""
    if not kept:
        folder = tmp_path_factory.mktemp("learned")
        style, sheet = folder / "x.style", folder / "sheet.png"
        outcome = call("extract-style", clip, "-o", style, "--sheet", sheet)
        kept.append(Learned(outcome, style, sheet))
    return kept[0]


def test_a_style_file_holds_numbers_and_no_pixels(learned: Learned) -> None:
    assert learned.outcome == (0, f"{learned.style}\n", ANY)
    found = names_in(learned.style)
    assert not [name for name, (kind, _) in found.items() if kind == "uint8"]
    assert not [name for name in found if "pixels" in name]
    # Nor is a picture hidden under another name: the largest array is the motion itself.
    assert max(math.prod(shape) for _, shape in found.values()) == 89 * 68 * 3


class _Any:
    """Equals everything, to compare parts of an outcome."""

    def __eq__(self, other: object) -> bool:
        return True


ANY = _Any()


def test_a_style_says_where_it_comes_from_and_what_was_found(clip: Path, learned: Learned) -> None:
    said = learned.outcome.stderr
    for words in ("Style references", "None", "M", "R", "O", "usable", "mouth opening range"):
        assert words in said
    assert "only 3.0 s long" in said
    style = load_style(learned.style)
    assert style.name == "x"
    assert style.provenance["source_sha256"] == digest(clip)
    assert style.provenance["stylehead_version"] == __version__
    assert style.provenance["frame_size"] == "512x512"
    assert style.statistics["seconds"] == pytest.approx(3, abs=0.1)
    moments = [one.seconds for one in style.references]
    assert len(set(moments)) == 4
    opening = {one.template: mouth_opening(one.landmarks) for one in style.references}
    assert max(opening["none"], opening["M"]) < opening["R"] < opening["O"]


def test_a_clip_that_a_video_was_made_with_is_not_learned_again(
    animate: Command, call: Command, brief_clip: Path, own_home: Path, tmp_path: Path
) -> None:
    assert animate("--style-video", brief_clip).code == 0
    (kept,) = (own_home / "clips").glob("*.style")
    first, again = tmp_path / "a.style", tmp_path / "b.style"
    outcome = call("extract-style", brief_clip, "-o", first)
    assert "was learned before" in outcome.stderr and "Tracking" not in outcome.stderr
    for words in ("Style references", "usable", "mouth opening range"):
        assert words in outcome.stderr
    kept.unlink()
    assert "learned before" not in call("extract-style", brief_clip, "-o", again).stderr
    one, other = load_style(first), load_style(again)
    np.testing.assert_array_equal(one.motion.landmarks, other.motion.landmarks)
    assert (one.name, other.name, one.statistics) == ("a", "b", other.statistics)


def test_a_learned_style_has_the_range_of_the_motion_it_was_learned_from(
    clip: Path, learned: Learned
) -> None:
    assert learned.outcome.code == 0
    found = load_style(learned.style).motion
    meant = load_motion(clip.with_suffix(".npz"))
    seen, asked = angles(found).std(0), angles(meant).std(0)
    assert seen == pytest.approx(asked, rel=0.35, abs=0.3)


def test_the_sheet_is_a_picture_of_four_faces_and_a_curve(learned: Learned) -> None:
    assert learned.outcome.code == 0
    with Image.open(learned.sheet) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture)
    assert pixels.shape[1] == 4 * 320
    for i in range(4):
        face = pixels[:320, i * 320 : (i + 1) * 320]
        assert find_portrait(face, name=f"face {i}").count == 1
    assert pixels[354:].std() > 5, "the curve"


def test_a_part_of_a_clip_can_be_learned_from(call: Command, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.style"
    words = ("extract-style", clip, "-o", path, "--start", 1, "--duration", 1.5)
    assert call(*words).code == 0
    style = load_style(path)
    assert style.statistics["seconds"] == pytest.approx(1.5, abs=0.1)
    assert 0.99 <= style.times[0] <= style.times[-1] <= 2.5
    assert all(1 <= one.seconds <= 2.5 for one in style.references)


def test_a_style_joins_the_users_own_and_is_used_by_its_name(
    call: Command,
    animate: Command,
    own_home: Path,
    tmp_path: Path,
    brief_clip: Path,
    output: Path,
) -> None:
    video = tmp_path / "my singer.mp4"
    shutil.copy(brief_clip, video)
    outcome = call("extract-style", video)
    place = own_home / "styles" / "my singer.style"
    assert outcome.stdout == f"{place}\n"
    listed = call("styles")
    assert listed.code == 0
    assert listed.stdout.splitlines() == [*BUILT_IN, "my singer"]
    assert "yours" in listed.stderr
    assert animate("--style", "my singer").code == 0
    style = json.loads(tags(output)["stylehead_style"])
    assert style == {"name": "my singer", "source_sha256": digest(brief_clip)}


def test_styles_lists_what_is_built_in(call: Command, own_home: Path) -> None:
    del own_home
    outcome = call("styles")
    assert outcome.code == 0
    assert outcome.stdout.splitlines() == BUILT_IN
    assert {"plain", "lively"} <= set(BUILT_IN)
    for words in ("built in", "mouth", "blinks"):
        assert words in outcome.stderr


@pytest.mark.parametrize("content", [b"no style", b""])
def test_styles_leaves_out_a_damaged_one_and_says_so(
    call: Command, own_home: Path, content: bytes
) -> None:
    (own_home / "styles").mkdir()
    (own_home / "styles" / "broken.style").write_bytes(content)
    outcome = call("styles")
    assert outcome.code == 0
    assert outcome.stdout.splitlines() == BUILT_IN
    assert "Left out" in outcome.stderr
    assert "broken.style" in outcome.stderr


@pytest.mark.slow
def test_a_style_clip_and_its_style_file_give_the_same_video(
    animate: Command, call: Command, brief_clip: Path, tmp_path: Path, output: Path
) -> None:
    assert animate("--style-video", brief_clip).code == 0
    direct = media.read_video(output)[0]
    said = json.loads(tags(output)["stylehead_style"])
    assert said == {"name": "brief clip", "source_sha256": digest(brief_clip)}
    path = tmp_path / "brief clip.style"
    assert call("extract-style", brief_clip, "-o", path).code == 0
    assert animate("--style", path, "--overwrite").code == 0
    # The file keeps offsets in 16 bits; nothing more may be lost.
    difference = np.abs(media.read_video(output)[0].astype(int) - direct)
    assert difference.mean() < 1
    assert np.percentile(difference, 99.9) < 25


# ---- doctor and demo ------------------------------------------------------------------------


def test_doctor_finds_all_well(call: Command) -> None:
    outcome = call("doctor")
    assert outcome.code == 0, outcome
    assert outcome.stdout == "All well.\n"
    assert "FAIL" not in outcome.stderr
    for words in (__version__, "torch", "H.264", "trial"):
        assert words in outcome.stderr


def test_doctor_names_what_is_wrong_and_the_remedy(
    call: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    shutil.copytree(asset(""), assets)
    (assets / "face_landmarker.task").unlink()
    monkeypatch.setattr(store, "asset", lambda name: assets / name)
    outcome = call("doctor")
    assert outcome.code == 1
    assert outcome.stdout == ""
    assert "FAIL" in outcome.stderr
    # The table breaks long words: what it says is asked of the check itself.
    failed = [check for check in run_checks() if not check.good]
    assert failed[0].name == "model files"
    assert "face_landmarker.task is missing or damaged" in failed[0].message
    assert "Install stylehead again" in failed[0].remedy
    assert "Traceback" not in outcome.stderr
    assert "H.264" in outcome.stderr, "the other checks still ran"


def test_the_demo_makes_its_video_again_and_again_and_replaces_nothing_else(
    call: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A part of the voice; the whole demo is the first thing that CI runs.
    said = tmp_path / "said" / "voice.flac"
    said.parent.mkdir()
    voice = media.voice(1.01, rate=48_000)
    media.save_sound(said, voice, 48_000)
    files = store.demo_files()[0], said
    monkeypatch.setattr(store, "demo_files", lambda: files)
    tmp_path = tmp_path / "here"
    tmp_path.mkdir()
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other.mp4"
    other.write_bytes(b"precious")
    outcome = call("demo", "-o", "other.mp4")
    assert outcome.code == 1
    assert other.read_bytes() == b"precious"
    (tmp_path / "stylehead-demo.mp4").write_bytes(b"from the time before")
    outcome = call("demo")
    assert outcome == (0, "stylehead-demo.mp4\n", ANY)
    with av.open("stylehead-demo.mp4") as container:
        video = container.streams.video[0]
        assert (video.width, video.height, video.average_rate) == (512, 512, Fraction(30))
        assert video.frames == math.ceil(len(voice) / 48_000 * 30)
    late, alike = media.lag(media.voice(1.01), media.read_sound(Path("stylehead-demo.mp4")))
    assert abs(late) <= 1 / 30
    assert alike > 0.95
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.mp4", "stylehead-demo.mp4"]


def test_prepare_keeps_folders_of_one_name_apart(
    call: Command, speech: Path, tmp_path: Path
) -> None:
    folders = [tmp_path / kind / "demo" for kind in ("speech", "singing")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "voice.wav").symlink_to(speech)
    data = tmp_path / "data"
    assert call("prepare", *folders, "-o", data, "--as", "voice").code == 0
    assert sorted(path.name for path in (data / "sounds").iterdir()) == [
        "voice_singing_demo.npz",
        "voice_speech_demo.npz",
    ]


# ---- workers --------------------------------------------------------------------------------


def test_so_many_workers_render_as_are_asked_for_and_the_video_is_the_same(
    animate: Command,
    output: Path,
    glance: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def counted(shot: Shot, *, workers: int, **more: Any) -> Generator[Segment]:
        asked.append(workers)
        return film(shot, workers=workers, **more)

    monkeypatch.setattr(unfinished, "film", counted)
    videos: list[str] = []
    for workers in (1, 3):
        assert animate("--size", 128, "--workers", workers, "--overwrite", *glance).code == 0
        videos.append(unsigned_sha256(output))
    assert asked == [1, 3]
    assert videos[0] == videos[1]
