import numpy as np
import pytest
import torch

from stylehead.errors import MediaError, StyleError
from stylehead.finetuning.speech import (
    REPLAY_SECONDS,
    encode_speech,
    learn_own_voice,
    replayed_speech,
    unheard_speech,
)
from stylehead.speech.listen import listen
from stylehead.training.data.speakers import AlignedFeatures
from tests.stand_ins.faces import Recording, predictor, syllables

RECORDING = Recording(syllables(25.0))


def test_encoded_speech_can_be_read_again_and_again():
    listener = predictor().listener
    speech = encode_speech(RECORDING, listener)
    chunks = list(listen(RECORDING, listener).chunks)
    assert len(chunks) > 1
    for replay in (speech.replay(), speech.replay()):
        assert replay.seconds == 25
        for chunk, fresh in zip(replay.chunks, chunks, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(chunk, fresh, strict=True))


def test_its_features_are_those_of_the_recording():
    listener = predictor().listener
    features = encode_speech(RECORDING, listener).features
    assert torch.equal(
        features, torch.cat([chunk.features for chunk in listen(RECORDING, listener).chunks])
    )


def test_silence_is_refused():
    with pytest.raises(MediaError, match="silent"):
        encode_speech(Recording(0 * syllables(2.0)), predictor().listener)


def test_what_tuning_hears_and_what_it_is_tested_on_do_not_meet():
    assert replayed_speech().seconds == pytest.approx(REPLAY_SECONDS, abs=0.05)
    assert unheard_speech().start == REPLAY_SECONDS
    assert unheard_speech().seconds > 10


def test_the_own_voice_is_made_of_the_persons_sounds():
    features = torch.randn(50, 6, generator=torch.Generator().manual_seed(1)).half()
    pair = AlignedFeatures(features, torch.zeros(50, 68, 3))
    voice = learn_own_voice([pair, pair], 0.25)
    assert voice is not None
    assert voice.strength == 0.25
    nearest = (features.float()[:, None] - voice.base).norm(dim=-1).amin(1)
    assert nearest.median() < 1e-3
    assert learn_own_voice([pair], 0.0) is None


def test_without_sound_there_is_no_own_voice():
    with pytest.raises(StyleError, match="none to learn") as failure:
        learn_own_voice([], 0.5)
    assert "its own voice" in failure.value.remedy
