"""Recordings encoded once, so that many motions can be predicted from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stylehead.errors import StyleError
from stylehead.media.audio import Sound, open_audio
from stylehead.models.manifold import Manifold
from stylehead.speech.listen import ACTIVE, Listener, listen
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.training.projection import make_base
from stylehead.types import MOTION_FPS, Floats, Speech, SpeechChunk
from stylehead.weights.store import asset

NEUTRAL_SPEECH = "neutral_speech.ogg"
"""Asset: a minute of three synthesised voices, as a user's machine has no training data."""
OWN_SOUNDS = 1024
"""Most centroids of a person's own speech features; 17 s have as many frames."""
REPLAY_SECONDS = 40.0  # of the neutral speech that tuning hears; the remaining ones are for tests


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSpeech:
    """A recording whose voice is separated, encoded and measured, to be read any number of times.

    It keeps 1.5 KB for each frame at 60 Hz, so it is for recordings of minutes.
    """

    seconds: float
    chunks: tuple[SpeechChunk, ...]

    @property
    def features(self) -> Tensor:
        """(T, F) speech features at 60 Hz."""
        return torch.cat([chunk.features for chunk in self.chunks])

    @property
    def voice(self) -> tuple[Floats, Floats]:
        """(N,) probability of a voice, and its level in dB, at 60 Hz."""
        activity, level = zip(
            *((chunk.activity, chunk.level) for chunk in self.chunks), strict=True
        )
        return np.concatenate(activity), np.concatenate(level)

    @property
    def voiced_seconds(self) -> float:
        """Time in which a voice is active."""
        active = sum(int((chunk.activity > ACTIVE).sum()) for chunk in self.chunks)
        return active / MOTION_FPS

    def replay(self) -> Speech:
        """Return the recording as a stream from its beginning."""
        return Speech(self.seconds, iter(self.chunks))


def encode_speech(sound: Sound, listener: Listener) -> EncodedSpeech:
    """Listen to a recording and keep all of it; raises MediaError for a silent one."""
    speech = listen(sound, listener)
    return EncodedSpeech(speech.seconds, tuple(speech.chunks))


def replayed_speech() -> Sound:
    """Return the neutral speech that tuning hears, so that what lips can say is not forgotten."""
    return open_audio(asset(NEUTRAL_SPEECH), duration=REPLAY_SECONDS)


def unheard_speech() -> Sound:
    """Return the neutral speech that tuning never hears, to validate and to test on."""
    return open_audio(asset(NEUTRAL_SPEECH), start=REPLAY_SECONDS)


def learn_own_voice(aligned: list[AlignedFeatures], strength: float) -> Manifold | None:
    """Return the base that features are brought to: the person's own sounds (paper, 3.1).

    None for a strength of 0. Raises StyleError without sound to learn from.
    """
    if strength == 0:
        return None
    if not aligned:
        raise StyleError(
            "--projection brings voices to the person's own sounds, and there are none to learn.",
            remedy="Give a clip with its own voice, or leave --projection out.",
        )
    known = torch.cat([pair.features for pair in aligned]).float()
    base = make_base(known, OWN_SOUNDS)
    # In the precision of a style file, so that what is tuned and tested is what is kept.
    return Manifold.of({name: part.half().float() for name, part in base.items()}, strength)
