from dataclasses import replace

import numpy as np
import pytest
import torch

from stylehead.errors import FaceError
from stylehead.face.landmarks import INNER_LOWER, INNER_UPPER, mouth_opening
from stylehead.finetuning import target_clip
from stylehead.finetuning.target_clip import (
    HELD_OUT,
    joined,
    learn_target_clip,
    music_level,
    split_style,
    transfer_data_of,
)
from stylehead.media.audio import open_audio
from stylehead.motion.expression import expression_of
from stylehead.speech.separation import Voice
from stylehead.types import SPEECH_RATE
from tests.stand_ins import media
from tests.stand_ins.faces import (
    EveryVoice,
    closed_mesh,
    face_track,
    make_style,
    mean_face,
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


def learn(track, sound=None, models=None):
    return learn_target_clip(track, sound, models or predictor(), "clip", "ab" * 32)


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
    found = learn(filmed())
    assert found.take is None
    assert any("Without sound" in note for note in found.notes)


# ---- the split ------------------------------------------------------------------------------


def test_the_end_is_held_out():
    found = learn(filmed())
    assert found.style.motion.seconds == pytest.approx((1 - HELD_OUT) * SECONDS, abs=0.1)
    assert found.held_out.seconds == pytest.approx(HELD_OUT * SECONDS, abs=0.1)


def test_the_held_out_part_is_measured_from_the_learned_neutral():
    """Whoever smiles at the end only does not get a neutral face that smiles."""
    track = filmed()
    mesh = track.mesh.copy()
    mesh[260:, 61, 0] -= 0.05 * 200  # the subject's right mouth corner
    found = learn(replace(track, mesh=mesh))
    assert found.held_out.landmarks[30:, 48, 0].mean() == pytest.approx(-0.05, abs=0.015)


# ---- sound ----------------------------------------------------------------------------------


def in_step(monkeypatch, best, lag):
    monkeypatch.setattr(target_clip, "measure_sync", lambda net, take: (best, lag))
    models = predictor()
    return replace(models, generator=torch.nn.Identity())


def test_a_late_picture_is_moved_back(monkeypatch, sound):
    models = in_step(monkeypatch, 0.8, 6)
    found = learn(filmed(late=0.1), sound, models)
    assert found.lag == 6
    assert any("0.10 s later than the sound: corrected" in note for note in found.notes)
    moved = found.take.offsets[:, 66, 1].numpy()
    motion = found.style.motion
    spoken = motion.landmarks - expression_of(motion.landmarks, motion.neutral, motion.fps)
    before = np.interp(np.arange(len(moved)) / 60 + 0.1, found.style.times, spoken[:, 66, 1])
    assert np.corrcoef(moved, before)[0, 1] > 0.99
    assert found.held_sound.start == pytest.approx((1 - HELD_OUT) * SECONDS - 0.1, abs=0.1)


def test_sound_that_does_not_fit_is_not_learned_from(monkeypatch, sound):
    found = learn(filmed(), sound, in_step(monkeypatch, 0.1, 3))
    assert found.take is None
    assert found.held_sound is None
    assert any("do not go together" in note for note in found.notes)


def test_loud_music_is_not_learned_from(monkeypatch, sound):
    monkeypatch.setattr(target_clip, "music_level", lambda sound, models: 4.0)
    found = learn(filmed(), sound)
    assert found.take is None
    assert any("4 dB over the voice" in note and "--audio" in note for note in found.notes)


def test_silence_is_not_learned_from(tmp_path):
    path = tmp_path / "silence.wav"
    media.save_sound(path, np.zeros(12 * SPEECH_RATE, np.float32))
    assert learn(filmed(), open_audio(path)).take is None


class HalfVoice(EveryVoice):
    """Takes half of each sample for the voice."""

    def separate(self, blocks):
        for voice in super().separate(blocks):
            yield Voice(voice.samples / 2, voice.activity)


def test_music_is_measured_against_the_voice(sound):
    assert music_level(sound, predictor(voice=HalfVoice())) == pytest.approx(0, abs=0.01)
    assert music_level(sound, predictor()) < -60


# ---- several clips, style files, material ---------------------------------------------------


def test_clips_are_joined_and_the_nearest_reference_wins():
    first, second = learn(filmed()), learn(filmed(seconds=8.0))
    better = replace(second.style.references[3], score=-1.0)
    style = replace(second.style, references=(*second.style.references[:3], better))
    both = joined([first, replace(second, style=style)], "both")
    assert both.name == "both"
    assert len(both.motion) == len(first.style.motion) + len(style.motion)
    assert both.references[3].score == -1.0
    shape = better.landmarks - style.motion.neutral
    np.testing.assert_allclose(both.references[3].landmarks - both.motion.neutral, shape, atol=1e-5)


def test_a_style_file_is_split_like_a_clip():
    learned, rest = split_style(make_style(performed_motion(20.0)))
    assert (learned.motion.seconds, rest.seconds) == (pytest.approx(14), pytest.approx(6))
    with pytest.raises(FaceError, match=r"only 3\.0 s"):
        split_style(make_style(performed_motion(3.0)))


def test_material_takes_the_singers_own_face_out():
    style = make_style(performed_motion(10.0))
    wide = style.motion.neutral * np.float32(1.2)
    references = tuple(
        replace(one, landmarks=one.landmarks - style.motion.neutral + wide)
        for one in style.references
    )
    other = replace(style, motion=style.motion.with_(neutral=wide), references=references)
    a, b = transfer_data_of(style, [], []), transfer_data_of(other, [], [])
    torch.testing.assert_close(a.references, b.references, atol=1e-5, rtol=0)
    torch.testing.assert_close(a.neutral, torch.from_numpy(mean_face()))


def test_articulation_and_expression_make_up_the_motion():
    style = make_style(performed_motion(10.0))
    found = transfer_data_of(style, [], [])
    together = found.articulation + found.expression
    torch.testing.assert_close(together, torch.from_numpy(style.motion.landmarks))
    opened = mouth_opening(found.expression.numpy() + style.motion.neutral)
    assert opened.std() < 0.1 * mouth_opening(style.motion.landmarks + style.motion.neutral).std()
