"""A voice and what plays behind it: stems, separators, and what is said about them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stylehead.face.landmarks import mouth_opening
from stylehead.motion.file import load_motion
from tests.conftest import Command
from tests.stand_ins import media

FILTER = ("--separate", "filter")


@pytest.fixture
def band(tmp_path: Path) -> Path:
    """A chord, as long as the speech."""
    chord = sum(media.tone(2.5, pitch=pitch) for pitch in (220.0, 277.2, 329.6)) / 4
    return media.save_sound(tmp_path / "band.wav", chord)


def moved(call: Command, folder: Path, *words: object) -> tuple[dict[str, np.ndarray], str]:
    """Run `motion`; return the arrays it wrote and what it said."""
    path = folder / "motion.npz"
    outcome = call("motion", "-o", path, "--overwrite", "--fps", 10, *words)
    assert outcome.code == 0, outcome
    motion = load_motion(path)
    return {name: getattr(motion, name) for name in ("landmarks", "rotation", "blink")}, (
        outcome.stderr
    )


# ---- stems ----------------------------------------------------------------------------------


def test_a_stem_moves_the_face_as_the_voice_alone_does(
    call: Command, tmp_path: Path, speech: Path, band: Path
) -> None:
    alone, said = moved(call, tmp_path, "--audio", speech)
    with_stem, _ = moved(call, tmp_path, "--audio", band, "--vocals", speech)
    assert "A voice in" in said
    for name, array in alone.items():
        np.testing.assert_array_equal(with_stem[name], array)


def test_the_stem_is_listened_to_and_the_recording_is_played(
    animate: Command, output: Path, speech: Path, band: Path
) -> None:
    outcome = animate("--vocals", speech, "--json", audio=band)
    assert outcome.code == 0, outcome
    facts = json.loads(outcome.stdout)
    assert facts["separator"] == "filter"
    assert facts["voice_fraction"] > 0.5
    played = media.read_sound(output)
    _, alike = media.lag(soundfile.read(band, frames=16_000)[0], played)
    assert alike > 0.95


def test_an_offset_moves_the_face_later(call: Command, tmp_path: Path, speech: Path) -> None:
    long = media.save_sound(tmp_path / "long.wav", media.voice(4.0))
    words = ("--audio", long, "--vocals", speech, "--vocals-offset", 1)
    found, _ = moved(call, tmp_path, *words)
    alone, _ = moved(call, tmp_path, "--audio", speech)
    assert len(found["landmarks"]) == 40
    later, sooner = (array["landmarks"][:, 66, 1] for array in (found, alone))
    quiet = later[3:7]  # after the first frames, in which the face comes from rest to its style's
    assert np.ptp(quiet) < 0.1 * np.ptp(later)
    alike = [np.corrcoef(later[at : at + 25], sooner)[0, 1] for at in range(16)]
    assert np.argmax(alike) == 10, alike


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), ("0.5 s longer", "--vocals-offset")),
        (("--vocals-offset", 3), ("only after the recording has ended", "smaller")),
        (("--vocals", "missing.wav"), ("missing.wav does not exist", "Check")),
    ],
)
def test_a_stem_that_does_not_fit_is_refused_in_one_line(
    call: Command, tmp_path: Path, speech: Path, words: tuple[object, ...], said: tuple[str, ...]
) -> None:
    long = media.save_sound(tmp_path / "long.wav", media.voice(4.0))
    path = tmp_path / "motion.npz"
    outcome = call("motion", "--audio", speech, "--vocals", long, "-o", path, *words)
    assert (outcome.code, outcome.stdout) == (1, "")
    (line,) = outcome.stderr.strip().splitlines()
    assert all(word in line for word in said), line
    assert not path.exists()


def test_a_saved_motion_needs_no_stem(
    animate: Command, clip: Path, speech: Path, output: Path
) -> None:
    outcome = animate("--motion", clip.with_suffix(".npz"), "--vocals", speech)
    assert outcome.code == 2
    assert "--vocals changes nothing with --motion" in outcome.stderr
    assert not output.exists()


# ---- what is listened to --------------------------------------------------------------------


def test_voice_writes_what_is_listened_to(call: Command, tmp_path: Path, speech: Path) -> None:
    path = tmp_path / "heard.wav"
    outcome = call("voice", speech, "-o", path)
    assert (outcome.code, outcome.stdout) == (0, f"{path}\n")
    assert "A voice in" in outcome.stderr
    heard, rate = soundfile.read(path)
    assert (rate, heard.shape) == (16_000, (40_000,))
    _, alike = media.lag(media.voice(2.5), heard)
    assert alike > 0.99, "a clean voice stays as it is"


def test_voice_takes_noise_away_and_off_leaves_it(call: Command, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 40_000).astype(np.float32)
    mixed, path = media.voice(2.5) + noise, tmp_path / "heard.flac"
    song = media.save_sound(tmp_path / "song.wav", mixed / 2)
    kept = {}
    for choice in ("off", "filter"):
        assert call("voice", song, "-o", path, "--overwrite", "--separate", choice).code == 0
        kept[choice] = soundfile.read(path)[0]
    assert np.square(kept["filter"]).sum() < 0.7 * np.square(kept["off"]).sum()
    _, alike = media.lag(mixed, kept["off"])
    assert alike > 0.99


@pytest.mark.parametrize(
    ("words", "said"),
    [(("-o", "heard.mp3"), "does not end in .wav or .flac"), (("-o", "no/heard.wav"), "Create it")],
)
def test_voice_refuses_in_one_line(
    call: Command, speech: Path, words: tuple[str, ...], said: str
) -> None:
    outcome = call("voice", speech, *words)
    assert (outcome.code, outcome.stdout) == (1, "")
    (line,) = outcome.stderr.strip().splitlines()
    assert said in line


def test_a_recording_without_a_voice_is_warned_of(
    call: Command, tmp_path: Path, band: Path
) -> None:
    found, said = moved(call, tmp_path, "--audio", band, *FILTER)
    (warning,) = (line for line in said.splitlines() if line.startswith("Warning:"))
    assert f"no voice was found in {band}" in warning
    assert "dB under the recording" in warning
    assert "--vocals" in warning
    assert np.ptp(mouth_opening(found["landmarks"])) < 0.01, "the mouth stays shut"


def test_a_song_is_sung_at_once(call: Command, tmp_path: Path, speech: Path) -> None:
    voice, rate = soundfile.read(speech)
    chord = np.sum([media.tone(2.5, pitch=pitch) for pitch in (220.0, 277.2, 329.6)], 0)
    loud = chord[: len(voice)] * (2 * np.sqrt(np.square(voice).mean() / np.square(chord).mean()))
    song = media.save_sound(tmp_path / "song.wav", (voice + loud) / 3, rate=rate)
    alone, _ = moved(call, tmp_path, "--audio", speech)
    sung, said = moved(call, tmp_path, "--audio", song)
    assert "Spleeter separates them" in said
    openings = [np.ptp(found["landmarks"][:, 48:, 1], axis=1) for found in (alone, sung)]
    assert np.corrcoef(*openings)[0, 1] > 0.8
