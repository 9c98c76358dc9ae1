from dataclasses import replace

import numpy as np
import pytest

from stylehead.errors import FaceError, StyleError
from stylehead.face.articulation import expression_of
from stylehead.face.landmarks import INNER_LOWER, INNER_UPPER
from stylehead.finetuning import target_clip
from stylehead.finetuning.target_clip import (
    HELD_OUT,
    joined_style,
    learn_target_clip,
    split_style,
)
from stylehead.media.audio import open_audio
from stylehead.types import SPEECH_RATE
from tests.stand_ins import media
from tests.stand_ins.faces import (
    EveryVoice,
    closed_mesh,
    face_track,
    make_style,
    performed_motion,
    predictor,
    syllables,
    without_face,
)

SECONDS = 12.0


def filmed(*, late=0.0, seconds=SECONDS, scale=200.0):
    """Return a mouth that opens with syllables(), `late` seconds after them."""
    times = np.arange(round(seconds * 30)) / 30
    meshes = np.repeat(closed_mesh()[None], len(times), 0)
    gape = 0.12 * (0.5 - 0.5 * np.cos(2 * np.pi * 4 * (times - late)))
    meshes[:, INNER_LOWER, 1] += gape[:, None]
    meshes[:, INNER_UPPER, 1] -= 0.1 * gape[:, None]
    return face_track(meshes, scale=scale)


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "voice.wav"
    media.save_sound(path, syllables(SECONDS, pauses=((3.0, 3.7), (7.2, 8.1), (10.1, 10.5))))
    return open_audio(path)


def learn(track, sound=None, networks=None):
    return learn_target_clip(track, sound, networks or predictor(), "clip", "ab" * 32)


# ---- what is refused, what is noted ---------------------------------------------------------


def test_a_short_clip_is_refused():
    with pytest.raises(FaceError, match=r"only 3\.0 s") as failure:
        learn(filmed(seconds=3.0))
    assert "4 s" in failure.value.remedy


def test_seconds_without_a_face_do_not_count():
    track = without_face(filmed(), slice(60, None))
    with pytest.raises(FaceError, match="shows a face for only 2"):
        learn(track)


def test_a_small_face_is_refused_and_a_smallish_one_noted():
    with pytest.raises(FaceError, match="pixels high"):
        learn(filmed(scale=25.0))
    assert any("lips are coarse" in note for note in learn(filmed(scale=60.0)).notes)


def test_a_clip_without_sound_says_who_holds_the_lips():
    target = learn(filmed())
    assert target.aligned is None
    assert any("no sound" in note for note in target.notes)


# ---- the split ------------------------------------------------------------------------------


def test_the_end_is_held_out():
    target = learn(filmed())
    assert target.style.motion.seconds == pytest.approx((1 - HELD_OUT) * SECONDS, abs=0.1)
    assert target.held_out.seconds == pytest.approx(HELD_OUT * SECONDS, abs=0.1)


def test_the_held_out_part_is_measured_from_the_learned_neutral():
    """Whoever smiles at the end only does not get a neutral face that smiles."""
    track = filmed()
    mesh = track.mesh.copy()
    mesh[260:, 61, 0] -= 0.05 * 200  # the subject's right mouth corner
    target = learn(replace(track, mesh=mesh))
    assert target.held_out.landmarks[30:, 48, 0].mean() == pytest.approx(-0.05, abs=0.015)


# ---- sound ----------------------------------------------------------------------------------


def measured(monkeypatch, correlation, lag):
    monkeypatch.setattr(target_clip, "measure_sync", lambda net, pair: (correlation, lag))


def test_a_late_picture_is_moved_back(monkeypatch, sound):
    measured(monkeypatch, 0.8, 6)
    target = learn(filmed(late=0.1), sound)
    assert target.lag == 6
    assert any("0.10 s later than the sound; this is corrected" in note for note in target.notes)
    assert target.aligned and target.held_out_sound
    moved = target.aligned.offsets[:, 66, 1].numpy()
    motion = target.style.motion
    spoken = motion.landmarks - expression_of(motion.landmarks, motion.neutral, motion.fps)
    before = np.interp(np.arange(len(moved)) / 60 + 0.1, target.style.times, spoken[:, 66, 1])
    assert np.corrcoef(moved, before)[0, 1] > 0.99
    assert target.held_out_sound.start == pytest.approx((1 - HELD_OUT) * SECONDS - 0.1, abs=0.1)


def test_sound_that_does_not_fit_is_not_learned_from(monkeypatch, sound):
    measured(monkeypatch, 0.1, 3)
    target = learn(filmed(), sound)
    assert target.aligned is None
    assert any("out of sync" in note for note in target.notes)


def test_silence_is_not_learned_from(tmp_path):
    path = tmp_path / "silence.wav"
    media.save_sound(path, np.zeros(12 * SPEECH_RATE, np.float32))
    assert learn(filmed(), open_audio(path)).aligned is None


def test_a_silent_end_is_held_out_without_its_sound(monkeypatch, tmp_path):
    measured(monkeypatch, 0.8, 0)
    path = tmp_path / "voice.wav"
    media.save_sound(path, syllables(SECONDS, pauses=((8.0, 12.0),)))
    target = learn(filmed(), open_audio(path))
    assert target.aligned is not None
    assert target.held_out_sound is None


class PartVoice(EveryVoice):
    """Takes a part of each sample for the voice."""

    def __init__(self, part):
        self.part = part

    def separate(self, sound):
        for voice in super().separate(sound):
            yield voice._replace(samples=voice.samples * np.float32(self.part))


def test_loud_music_is_not_learned_from(sound):
    target = learn(filmed(), sound, predictor(voice=PartVoice(0.25)))
    assert target.aligned is None
    assert any("10 dB louder than the voice" in note and "--audio" in note for note in target.notes)


# ---- several clips, style files -------------------------------------------------------------


def test_clips_are_joined_and_the_nearest_reference_wins():
    first, second = learn(filmed()), learn(filmed(seconds=8.0))
    better = replace(second.style.references[3], score=-1.0, in_clip=True)
    style = replace(second.style, references=(*second.style.references[:3], better))
    both = joined_style([first, replace(second, style=style)], "both")
    assert both.name == "both"
    assert len(both.motion) == len(first.style.motion) + len(style.motion)
    assert both.references[3].score == -1.0
    shape = better.landmarks - style.motion.neutral
    np.testing.assert_allclose(both.references[3].landmarks - both.motion.neutral, shape, atol=1e-5)


def test_a_clip_that_shows_a_template_wins_over_one_that_does_not():
    first, second = learn(filmed()), learn(filmed(seconds=8.0))
    shows = [
        replace(each, score=score, in_clip=in_clip)
        for each, score, in_clip in (
            (first.style.references[3], 9.0, True),
            (second.style.references[3], 1.0, False),
        )
    ]
    styles = [
        replace(target, style=replace(target.style, references=(*target.style.references[:3], o)))
        for target, o in zip((first, second), shows, strict=True)
    ]
    for order in (styles, styles[::-1]):
        assert joined_style(order, "both").references[3].score == 9.0


def test_a_style_file_is_split_like_a_clip():
    style = make_style(performed_motion(20.0))
    learned, held_out = split_style(style)
    assert (learned.motion.seconds, held_out.seconds) == (pytest.approx(14), pytest.approx(6))
    np.testing.assert_array_equal(held_out.landmarks, style.motion.landmarks[len(learned.motion) :])


def test_a_style_file_with_little_motion_is_refused():
    with pytest.raises(StyleError, match=r"only 3\.0 s"):
        split_style(make_style(performed_motion(3.0)))
