"""Which separator a recording gets: what the user says, or what sounds behind the voice."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import torch

from stylehead.media.audio import Sound
from stylehead.models.voice_filter import VoiceFilter
from stylehead.options import Separate
from stylehead.progress import SILENT, Reporter
from stylehead.speech.separation import NoSeparator, Separator, Voice, VoiceSeparator
from stylehead.speech.spleeter import SpleeterSeparator
from stylehead.weights.networks import load_network, load_spleeter
from stylehead.weights.store import resolve

MUSIC = -15.0  # dB of what is no voice, against the voice, from which Spleeter is worth its time
NOTHING = 1e-9  # energy, so that silence has a level


class Separators:
    """The separators that a choice allows."""

    def __init__(self, choice: Separate, device: torch.device) -> None:
        self._choice, self._device = choice, device
        self._filter = VoiceSeparator(load_network(VoiceFilter, resolve("voice_filter"), device))

    def choose(self, sound: Sound, reporter: Reporter = SILENT) -> Separator:
        """Return the separator for a recording."""
        if self._choice is Separate.OFF:
            return NoSeparator()
        if self._choice is Separate.FILTER:
            return self._filter
        if self._choice is Separate.SPLEETER:
            return self._spleeter
        if not self._has_music(sound, reporter):
            return self._filter
        reporter.say("Music plays behind the voice: Spleeter separates them.")
        return self._spleeter

    def _has_music(self, sound: Sound, reporter: Reporter) -> bool:
        reporter.start("Looking for music", math.ceil(sound.seconds / 10))

        def counted() -> Iterable[Voice]:
            for voice in self._filter.separate(sound):
                yield voice
                reporter.advance()

        return music_level(counted()) > MUSIC

    @cached_property
    def _spleeter(self) -> SpleeterSeparator:
        voice, music = load_spleeter(resolve("spleeter"), self._device)
        return SpleeterSeparator(voice, music, self._filter)


def music_level(voices: Iterable[Voice], *, while_active: bool = False) -> float:
    """Return how loud everything but the voice is against the voice, in dB.

    `while_active` leaves out where no voice is active. High, too, for a voice that the separator
    does not recognise.
    """
    alone = other = NOTHING
    for voice in voices:
        count = len(voice.samples)
        active = np.repeat(voice.activity > 0.5, -(-count // len(voice.activity)))[:count]
        counted = active if while_active else slice(None)
        alone += float(np.square(voice.samples[counted]).sum())
        other += float(np.square((voice.mix - voice.samples)[counted]).sum())
    return 10 * math.log10(other / alone)
