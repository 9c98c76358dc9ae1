"""Spleeter's two U-Nets over a stream: the voice of a song, whatever plays behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import grey_closing

from stylehead.compute.threads import in_order
from stylehead.media.audio import Sound, at_speech_rate
from stylehead.models.spleeter import BINS, FRAMES, SpleeterUNet
from stylehead.progress import SILENT, Reporter
from stylehead.speech.mel import LOUDNESS, overlapping_windows
from stylehead.speech.pitch import pitched_fraction
from stylehead.speech.separation import BODY, MARGIN, NOTHING, Voice, VoiceSeparator, middles
from stylehead.types import SPEECH_RATE, Floats

RATE = 44_100  # Hz, and below it: what the published weights were learned with
N_FFT, HOP = 4096, 1024
TINY = 1e-10  # of the masks' denominator
OVERLAP = 40 * HOP  # samples around what is kept of a window
STRIDE = (FRAMES - 1) * HOP - 2 * OVERLAP  # 10.0 s
AROUND = SPEECH_RATE  # samples before and after a frame over which voice and mix are compared
UNCERTAIN, PER_DB = -10.0, 0.1  # dB of the voice against the mix where it may be either; slope
LENIENT = -14.0  # the same, in a recording whose loud parts have a voice
NO_VOICE, VOICE = -12.0, -8.0
"""dB against the mix that what may be a voice reaches in its loud parts: no voice for sure, one."""
AT_ONCE = 2  # windows that are separated: each takes 80 MB
LOOK_EVERY = 3  # windows, of which one is looked at before a recording is separated
VOICELIKE = 6.0  # dB that the voice filter's word is worth: what is left of bands never has it
BRIDGE = 90  # frames at 60 Hz: what is no voice for less between two voices is one
PITCHED = 0.15, 0.3
"""Fractions of two seconds with a pitch: a noise, a voice. Rooms had 0.16 at most in the mean of a
recording, singers 0.44 at least."""
SILENCE = 1e-7  # mean square of a mix in which nothing is a voice
FADE = 16 * HOP  # half of the samples in which two windows pass over into each other


class Look(NamedTuple):
    """What some windows of a recording hold."""

    music: float
    """Everything but the voice, in dB against the voice."""
    voice: float
    """The voice in its loud parts, in dB against the mix."""


class SpleeterSeparator:
    """Run both U-Nets over windows of 11.9 s, 10 s apart, at fixed times."""

    name = "spleeter"
    files = ("spleeter", "voice_filter")

    def __init__(
        self,
        voice: SpleeterUNet,
        music: SpleeterUNet,
        voice_filter: VoiceSeparator,
        looked: tuple[Sound, Look] | None = None,
        *,
        workers: int = 1,
    ) -> None:
        """Take both networks; `looked` is what is known of a recording already.

        Up to `workers` windows are separated at once.
        """
        self._voice, self._music = voice.eval(), music.eval()
        self._filter = voice_filter
        self._window = torch.hann_window(N_FFT)
        self._looked, self._workers = looked, min(workers, AT_ONCE)

    def look(self, sound: Sound, reporter: Reporter = SILENT) -> Look:
        """Separate one window of three, and the last one; the last recording's are remembered."""
        if self._looked and self._looked[0] is sound:
            return self._looked[1]
        last = math.ceil(round(sound.seconds * RATE / STRIDE, 6)) - 1
        reporter.start("Looking for music", -(-last // LOOK_EVERY) + 1)
        alone = rest = NOTHING
        levels: list[Floats] = []
        windows = overlapping_windows(
            _loud(sound), body=STRIDE, before=OVERLAP, after=OVERLAP, shape=(2,)
        )
        some = (
            window
            for number, window in enumerate(windows)
            if not number % LOOK_EVERY or number == last
        )
        for stems, count in self._each_split(some):
            parts = list(at_speech_rate([stems[OVERLAP : OVERLAP + count]], RATE))
            if not parts:  # a last window of so few samples that none is left at 16 kHz
                continue
            heard = np.concatenate(parts)
            alone, rest = (np.array([alone, rest]) + np.square(heard).sum(0)).tolist()
            around = np.arange(0, len(heard), AROUND // 2)
            levels.append(_level(heard[:, 0], heard.sum(1), around))
            reporter.advance()
        loudest = float(np.percentile(np.concatenate(levels), 95))
        look = Look(10 * math.log10(rest / alone), loudest)
        self._looked = (sound, look)
        return look

    def separate(self, sound: Sound) -> Iterator[Voice]:
        """Yield the voice in a recording, 10 s at a time."""
        yield from bridged(self._voices(sound))

    def _voices(self, sound: Sound) -> Iterator[Voice]:
        voice = self.look(sound).voice
        lenient = np.clip((voice - NO_VOICE) / (VOICE - NO_VOICE), 0, 1)
        uncertain = float(UNCERTAIN + lenient * (LENIENT - UNCERTAIN))
        stems = at_speech_rate(self._stems(_loud(sound)), RATE)
        for window, count in overlapping_windows(
            stems, body=BODY, before=MARGIN, after=MARGIN, shape=(2,)
        ):
            alone, mix = window[:, 0], window.sum(1)
            voicelike = self._filter.filtered_window(alone, count).activity
            body = slice(MARGIN, MARGIN + count)
            yield Voice(alone[body], voice_activity(alone, mix, voicelike, uncertain), mix[body])

    def _stems(self, blocks: Iterable[Floats]) -> Iterator[Floats]:
        """Yield the voice and the rest, side by side (N, 2) and each mono, of stereo (N, 2)."""
        ramp = np.linspace(0, 1, 2 * FADE, dtype=np.float32)[:, None]
        tail, unsaid = np.zeros((0, 2), np.float32), 0
        windows = overlapping_windows(
            blocks, body=STRIDE, before=OVERLAP, after=OVERLAP, shape=(2,)
        )
        for stems, count in self._each_split(windows):
            # A window is given out up to FADE before its end: the rest waits for the next one.
            start = OVERLAP - FADE if len(tail) else OVERLAP
            given = stems[start : OVERLAP + STRIDE - FADE].copy()
            if len(tail):
                given[: 2 * FADE] = tail * (1 - ramp) + given[: 2 * FADE] * ramp
            yield given[: OVERLAP + count - start]
            tail = stems[OVERLAP + STRIDE - FADE : OVERLAP + STRIDE + FADE]
            unsaid = count - (STRIDE - FADE)
        if unsaid > 0:
            yield tail[:unsaid]

    def _each_split(self, windows: Iterator[tuple[Floats, int]]) -> Iterator[tuple[Floats, int]]:
        """Yield voice and rest (N, 2) of each window, and how much of its body is filled."""
        with closing(in_order(self._split, windows, workers=self._workers)) as split:
            yield from split

    @torch.inference_mode()
    def _split(self, filled: tuple[Floats, int]) -> tuple[Floats, int]:
        """Return voice and rest (N, 2), each mono, of a window (N, 2), left and right."""
        window, count = torch.from_numpy(filled[0]), filled[1]
        spectrum = torch.stft(
            window.T, N_FFT, HOP, window=self._window, pad_mode="constant", return_complex=True
        )
        below = spectrum[:, :BINS]  # below 11 kHz
        magnitude = below.abs().transpose(1, 2)[None].to(self._device)
        voice, music = self._voice(magnitude).square(), self._music(magnitude).square()
        mask = ((voice + TINY / 2) / (voice + music + TINY))[0].transpose(1, 2).cpu()
        kept = F.pad((below * mask).mean(0), (0, 0, 0, spectrum.shape[1] - BINS))
        alone = torch.istft(kept, N_FFT, HOP, window=self._window, length=len(window))
        return torch.stack([alone, window.mean(1) - alone], 1).numpy(), count

    @property
    def _device(self) -> torch.device:
        return next(self._voice.parameters()).device


def _loud(sound: Sound) -> Iterator[Floats]:
    """Yield a recording's blocks (N, 2), left and right, brought to LOUDNESS."""
    gain = np.float32(LOUDNESS / sound.loudness)
    return (block * gain for block in sound.blocks(RATE, 2))


def voice_activity(
    alone: Floats, mix: Floats, voicelike: Floats, uncertain: float = UNCERTAIN
) -> Floats:
    """Return the probability (T,) of a voice at 60 Hz in a window's separated voice (N,).

    What separation leaves of instruments is quiet against the mix (N,), and soon over: so it is
    the level over two seconds that tells, against `uncertain` dB. The voice filter's word (T,) on
    the separated voice counts beside it, but does not decide: it knows speech better than song.
    What has neither its word nor a pitch, as the noise of a room, is no voice however loud it is.
    """
    around = middles(len(voicelike))
    level = _level(alone, mix, around) + VOICELIKE * voicelike
    loud = (0.5 + PER_DB * (level - uncertain)).clip(0, 1)
    few, many = PITCHED
    sung = ((pitched_fraction(alone, around, AROUND) - few) / (many - few)).clip(0, 1)
    return (loud * np.maximum(sung, voicelike)).astype(np.float32)


def bridged(voices: Iterable[Voice]) -> Iterator[Voice]:
    """Yield voices whose activity does not drop between two active moments that are near.

    A choir has no pitch in some chords and a singer is drowned for a beat. Each is held back until
    the next one is there; in a pause the level of the voice still shuts the mouth.
    """
    before, waiting = np.zeros(0, np.float32), None
    for voice in voices:
        if waiting is not None:
            yield _bridged(before, waiting, voice.activity[:BRIDGE])
            before = np.concatenate([before, waiting.activity])[-BRIDGE:]
        waiting = voice
    if waiting is not None:
        yield _bridged(before, waiting, before[:0])


def _bridged(before: Floats, voice: Voice, after: Floats) -> Voice:
    """Return a voice with the gaps of its activity closed, given what is active around it."""
    activity = np.concatenate([before, voice.activity, after])
    closed = grey_closing(activity, BRIDGE, mode="nearest")
    return voice._replace(activity=closed[len(before) :][: len(voice.activity)])


def _level(alone: Floats, mix: Floats, around: NDArray[np.int64]) -> Floats:
    """Return how loud the voice is against the mix around some places, in dB."""
    alone_energy, mix_energy = (_energy(samples, around) for samples in (alone, mix))
    return 10 * np.log10((alone_energy + 1e-12) / (mix_energy + SILENCE))


def _energy(samples: Floats, around: NDArray[np.int64]) -> Floats:
    """Return the mean square of samples within AROUND of some places."""
    total = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    ends = [(around + shift).clip(0, len(samples)) for shift in (-AROUND, AROUND)]
    return (total[ends[1]] - total[ends[0]]) / (2 * AROUND)
