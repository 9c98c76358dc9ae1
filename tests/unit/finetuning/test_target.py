"""What a clip is judged on: singing if it is sung, and what of it tuning never hears."""

import numpy as np
import pytest
import torch

from stylehead.finetuning import target as target_module
from stylehead.finetuning import target_clip
from stylehead.finetuning.kept import load_track, save_track
from stylehead.finetuning.speech import encode_speech
from stylehead.finetuning.target import learn_target
from stylehead.finetuning.target_clip import HELD_OUT
from stylehead.media.audio import open_audio
from stylehead.options import TuningOptions
from stylehead.progress import SILENT
from stylehead.style.file import save_style
from tests.stand_ins import media
from tests.stand_ins.faces import make_style, performed_motion, syllables
from tests.unit.finetuning.test_singing import babble
from tests.unit.finetuning.test_target_clip import filmed

SECONDS = 12.0
CUT = (1 - HELD_OUT) * SECONDS


@pytest.fixture
def learn(small, recording, monkeypatch, tmp_path):
    """Learn a filmed clip with this voice, or a style with such a recording."""
    for speech in ("replayed_speech", "unheard_speech"):
        monkeypatch.setattr(target_module, speech, lambda: recording)
    monkeypatch.setattr(target_module, "crowd_share", lambda video: 0.0)
    monkeypatch.setattr(target_module, "track_video", lambda video, **_: filmed())
    monkeypatch.setattr(target_clip, "measure_sync", lambda net, pair: (0.8, 0))
    save_style(make_style(performed_motion(9.0)), tmp_path / "person.style")

    def run(samples, *, clip=True):
        path = tmp_path / "voice.wav"
        media.save_sound(path, samples)
        style = None if clip else str(tmp_path / "person.style")
        options = TuningOptions(style=style, audio=None if clip else path)
        videos, digests = ([path], ["ab" * 32]) if clip else ([], [])
        target = learn_target(videos, digests, options, tmp_path, small, "x", SILENT)
        return target, *target_module.tests_of(target, small)

    return run


def features(small, path, start, duration=None):
    part = open_audio(path, start=start, duration=duration)
    return encode_speech(part, small.listener).features


@pytest.mark.parametrize(("clip", "seconds"), [(True, SECONDS), (False, 16.0)])
def test_song_is_judged_on_song_that_tuning_never_heard(learn, small, tmp_path, clip, seconds):
    target, learning, judging = learn(syllables(seconds), clip=clip)
    assert judging.sung
    frames = round((1 - HELD_OUT) * seconds * 60)
    assert len(learning.speech.features) == pytest.approx(frames, abs=6)
    assert len(judging.speech.features) == pytest.approx(seconds * 60 - frames, abs=6)
    end = features(small, tmp_path / "voice.wav", seconds - judging.speech.seconds)
    assert torch.equal(judging.speech.features, end)
    assert len(target.replay) == 2
    assert torch.equal(target.replay[1], learning.speech.features)
    assert (judging.own_speech is judging.speech) == clip
    assert (learning.own_speech is learning.speech) == clip
    assert any("judged on singing" in note for note in target.notes)


@pytest.mark.parametrize("clip", [True, False])
def test_speech_is_judged_on_speech(learn, spoken, clip):
    target, learning, judging = learn(babble(SECONDS), clip=clip)
    assert not judging.sung
    assert learning.own_speech is None
    for test in (learning, judging):
        assert torch.equal(test.speech.features, spoken.features)
    assert (judging.own_speech is not None) == clip
    assert not any("singing" in note for note in target.notes)


def test_a_short_song_beside_a_style_is_no_judge(learn, spoken):
    _, _, judging = learn(syllables(9.0), clip=False)
    assert not judging.sung
    assert torch.equal(judging.speech.features, spoken.features)


def test_a_song_whose_end_is_silent_is_judged_on_speech_and_says_so(learn):
    target, _, judging = learn(syllables(SECONDS, pauses=((CUT - 0.5, SECONDS),)))
    assert not judging.sung
    assert any("too little singing" in note for note in target.notes)


def test_a_tracked_clip_is_not_tracked_again(learn, tmp_path, monkeypatch):
    save_track(tmp_path, "ab" * 32, filmed())
    monkeypatch.setattr(target_module, "track_video", None)
    target, *_ = learn(babble(SECONDS))
    np.testing.assert_array_equal(target.tracks["ab" * 32].mesh, filmed().mesh)


def test_a_damaged_track_is_made_again(tmp_path):
    save_track(tmp_path, "ab" * 32, filmed())
    path = next(tmp_path.glob("track-*"))
    path.write_bytes(path.read_bytes()[:100])
    assert load_track(tmp_path, "ab" * 32) is None
    assert load_track(tmp_path, "cd" * 32) is None
