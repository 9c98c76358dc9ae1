"""Make stylehead/assets/neutral_speech.ogg again: what finetune-style replays and judges on.

Three voices of the free synthesiser Flite say our own sentences in turn; needs the program flite
and the package soundfile.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import soundfile

from stylehead.speech.mel import LOUDNESS
from stylehead.training.data.synthetic_speech import SENTENCES, synthesise
from stylehead.types import SPEECH_RATE
from stylehead.weights.store import PACKAGE

VOICES = ("slt", "rms", "awb")


def main() -> None:
    """Write the file."""
    spoken: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.wav"
        for number, sentence in enumerate(SENTENCES):
            synthesise(sentence, VOICES[number % len(VOICES)], path)
            samples, rate = soundfile.read(path)
            assert rate == SPEECH_RATE, rate
            spoken.append(samples * (LOUDNESS / np.sqrt(np.square(samples).mean())))
    target = PACKAGE / "assets" / "neutral_speech.ogg"
    samples = np.concatenate(spoken).clip(-1, 1)
    soundfile.write(target, samples, SPEECH_RATE, format="OGG", subtype="VORBIS")


if __name__ == "__main__":
    main()
