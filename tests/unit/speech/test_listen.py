from __future__ import annotations

import numpy as np
import pytest

from stylehead.errors import MediaError
from stylehead.speech.listen import VoiceReport, listen, report_of
from stylehead.types import SPEECH_RATE
from tests.stand_ins.faces import EveryVoice, Recording, predictor, syllables


class SomeVoice(EveryVoice):
    """Hears a voice for the first seconds only, and takes a part of the sound for it."""

    def __init__(self, until: float, part: float = 1.0) -> None:
        self.until, self.part = until, part

    def activity(self, seconds):
        return (seconds < self.until).astype(float)

    def separate(self, sound):
        for voice in super().separate(sound):
            yield voice._replace(samples=voice.samples * np.float32(self.part))


def separated(voice, seconds=12.0):
    recording = Recording(syllables(seconds))
    speech = listen(recording, predictor(voice=voice).listener)
    chunks = list(speech.chunks)
    return recording, speech, chunks


@pytest.mark.parametrize("until", [0.0, 3.0, 12.0])
def test_the_share_of_time_with_a_voice_is_counted_while_chunks_are_read(until):
    recording = Recording(syllables(12.0))
    speech = listen(recording, predictor(voice=SomeVoice(until)).listener)
    assert speech.report.frames == 0
    list(speech.chunks)
    assert speech.report.frames == 720
    assert speech.report.voice_fraction == pytest.approx(until / 12, abs=1e-6)


def test_the_summary_says_how_much_of_it_is_a_voice():
    recording, speech, _ = separated(SomeVoice(3.0))
    assert speech.report.summary(recording) == "A voice in 25% of 0:12.0."


@pytest.mark.parametrize("silence", [30.0, 400.0])
def test_a_sentence_in_a_long_silence_is_a_voice(silence):
    samples = np.concatenate([np.zeros(round(silence * SPEECH_RATE), np.float32), syllables(2.0)])
    recording = Recording(samples)

    class AtItsEnd(EveryVoice):
        def separate(self, sound):
            for voice in super().separate(sound):
                loud = np.abs(voice.mix).max() > 0.01
                yield voice._replace(activity=voice.activity * np.float32(loud))

    report = VoiceReport("some")
    for voice in AtItsEnd().separate(recording):
        report.count(voice)
    assert report.sounding == pytest.approx(120, abs=30)
    said = report.summary(recording)
    assert said.startswith("A voice in ") and "in 0%" not in said


def test_a_recording_without_a_voice_is_said_with_the_level_found_and_what_to_do():
    recording, speech, _ = separated(SomeVoice(0.05, part=0.1))
    said = speech.report.summary(recording)
    assert said.startswith("Warning: no voice was found in voice.wav")
    assert "20 dB under the recording" in said
    assert "--vocals" in said
    assert "stylehead voice" in said


def test_what_is_measured_is_the_voice_alone():
    _, _, chunks = separated(SomeVoice(99.0))
    _, _, quiet = separated(SomeVoice(99.0, part=0.1))
    level, lower = (np.concatenate([c.level for c in each]) for each in (chunks, quiet))
    loud = level > level.max() - 20
    np.testing.assert_allclose((level - lower)[loud], 20, atol=0.5)


def test_what_is_encoded_has_a_fifth_of_what_the_voice_was_taken_out_of():
    _, _, chunks = separated(SomeVoice(99.0))
    _, _, without = separated(SomeVoice(99.0, part=0.0))
    for whole, rest in zip(chunks, without, strict=True):
        lower = (whole.features - rest.features)[whole.features > 0.3]
        # A decade of the amplitude is a fifth of log-mel.
        np.testing.assert_allclose(lower, -np.log10(0.2) / 5, atol=0.01)


class Never:
    """No separator is to be chosen."""

    def choose(self, sound, reporter):
        raise AssertionError


def test_silence_is_refused_before_a_separator_is_chosen():
    with pytest.raises(MediaError, match="is silent"):
        report_of(Recording(np.zeros(SPEECH_RATE, np.float32)), Never())


def test_of_a_silent_part_the_part_is_named():
    part = Recording(np.zeros(SPEECH_RATE, np.float32), start=2.0, chosen=True)
    with pytest.raises(MediaError, match=r"is silent from 0:02\.0 to 0:03\.0") as caught:
        report_of(part, Never())
    assert "--start" in caught.value.remedy
