"""Tracked clips -> speakers: sound, and motion scaled to an average person's range."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.signal import resample_poly
from torch import Tensor

from stylehead.face.landmarks import REGIONS
from stylehead.face.performance import recover_performance
from stylehead.media.audio import loudness, piece_energies
from stylehead.progress import SILENT, Reporter, track
from stylehead.speech.encoders import SpeechEncoder
from stylehead.speech.mel import LOUDNESS
from stylehead.training.data.audio import Corpora, Mixing, disturb
from stylehead.training.data.clips import Clip
from stylehead.types import MOTION_FPS, SPEECH_RATE, Floats

QUIETEST = 10 ** (-55 / 20)
SHORTEST = 2 * SPEECH_RATE  # samples a clip needs
SEEN_LEAST = 0.9  # fraction of frames with a face that a clip needs
TEMPI = ((1, 1), (9, 10), (11, 10))
"""Ratios by which disturbed renditions are stretched, sound and motion together."""
MIXING = Mixing(noise=0.4, music=0.3, reverberation=0.3, hiss=0.4, least=3.0)


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """One clip: sound and motion of a person."""

    name: str
    person: str
    samples: Floats
    """(N,) at 16 kHz, voice at LOUDNESS; the first one belongs to the first frame."""
    offsets: Floats
    """(T, 68, 3) at 60 fps from the neutral face, head space, interocular distances of an average
    person."""
    weight: float = 1.0
    """How often it is drawn, against a filmed clip of the same length."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFeatures:
    """Encoder features of one rendition of a clip, and the landmark offsets aligned to them."""

    features: Tensor
    """(T, F) float16 at 60 Hz."""
    offsets: Tensor
    """(T, 68, 3) float32, units as of the speaker."""

    def shifted(self, frames: int) -> AlignedFeatures:
        """Return the rendition with its picture moved so many frames earlier."""
        count = min(len(self.features), len(self.offsets)) - abs(frames)
        return AlignedFeatures(
            self.features[max(0, -frames) :][:count], self.offsets[max(0, frames) :][:count]
        )


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSpeaker:
    """A speaker as an encoder gives them."""

    speaker: Speaker
    renditions: list[AlignedFeatures]
    """The undisturbed one first."""


def load_speakers(
    clips: list[Clip], *, spread: Floats | None = None, weight: float = 1.0
) -> tuple[list[Speaker], Floats]:
    """Return the clips that can be learned from, and the pooled spread (68, 3).

    A clip needs two seconds of sound and a face in nine frames of ten. Landmarks are brought to
    60 fps by cubic interpolation whatever the clip's rate. Each person's regions are brought to the
    pooled spread, so that how far somebody moves is no noise in what is learned: it comes back as
    the style. Brows, eyes and nose are centred on the clip's mean; jaw and mouth are measured
    from the closed neutral, so that silence is zero. With `spread` (68, 3) that one is used;
    `weight` is every speaker's.
    """
    raw: list[tuple[Clip, Floats, Floats]] = []
    for clip in clips:
        if len(clip.samples) < SHORTEST or clip.track.found.mean() < SEEN_LEAST:
            continue
        samples = clip.samples.astype(np.float32) / 32767
        loud = loudness(piece_energies(samples))
        if loud < QUIETEST:
            continue  # digital silence
        motion, times = recover_performance(clip.track).motion(Fraction(MOTION_FPS))
        first = round(float(times[0]) * SPEECH_RATE)
        voice = samples[first:] * np.float32(LOUDNESS / loud)
        frames = min(len(motion), len(voice) * MOTION_FPS // SPEECH_RATE)
        if frames >= MOTION_FPS:
            raw.append((clip, motion.landmarks[:frames], voice))
    if not raw:
        return [], np.ones((68, 3), np.float32)
    known = [_spread(offsets) ** 2 for _, offsets, _ in raw]
    pooled = np.sqrt(np.mean(known, axis=0)) if spread is None else spread
    speakers = [
        Speaker(clip.name, clip.person, voice, _normalise(offsets, pooled), weight)
        for clip, offsets, voice in raw
    ]
    return speakers, pooled.astype(np.float32)


def _spread(offsets: Floats) -> Floats:
    return offsets.std(0) + 1e-4


def _normalise(offsets: Floats, spread: Floats) -> Floats:
    """Bring each region and axis of one person to the pooled spread."""
    out = offsets.copy()
    own = _spread(offsets)
    for name, region in REGIONS.items():
        points = list(region)
        if name not in ("jaw", "mouth"):
            out[:, points] -= offsets[:, points].mean(0)
        ratio = np.sqrt(np.square(spread[points]).mean(0) / np.square(own[points]).mean(0))
        out[:, points] *= ratio.clip(1 / 3, 3)
    return out.astype(np.float32)


def encode_speakers(
    speakers: list[Speaker],
    encoder: SpeechEncoder,
    corpora: Corpora,
    *,
    tempi: tuple[tuple[int, int], ...] = TEMPI,
    seed: int = 0,
    reporter: Reporter = SILENT,
) -> list[EncodedSpeaker]:
    """Encode every speaker: once as recorded, then once for each of `tempi`, mixed with noise.

    `tempi` are ratios by which a rendition is stretched; `seed` is that of the mixing.
    """
    generator = torch.Generator().manual_seed(seed)
    encoded: list[EncodedSpeaker] = []
    for speaker in track(speakers, "Encoding speakers", len(speakers), reporter):
        renditions = [_aligned(speaker.samples, torch.from_numpy(speaker.offsets), encoder)]
        for up, down in tempi:
            samples, offsets = speaker.samples, speaker.offsets
            if up != down:
                samples = resample_poly(samples, up, down).astype(np.float32)
                times = np.arange(len(offsets) * up // down) * down / up
                spline = CubicSpline(np.arange(len(offsets)), offsets, axis=0)
                offsets = spline(times.clip(max=len(offsets) - 1)).astype(np.float32)
            mixed = disturb(torch.from_numpy(samples)[None], corpora, MIXING, generator)[0]
            renditions.append(_aligned(mixed.numpy(), torch.from_numpy(offsets), encoder))
        encoded.append(EncodedSpeaker(speaker, renditions))
    return encoded


def _aligned(samples: Floats, offsets: Tensor, encoder: SpeechEncoder) -> AlignedFeatures:
    features = torch.cat(list(encoder.encode([samples]))).half()
    frames = min(len(features), len(offsets))
    return AlignedFeatures(features[:frames], offsets[:frames])
