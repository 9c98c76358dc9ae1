"""Which separator a recording gets: what the user says, or what sounds behind the voice."""

from __future__ import annotations

from functools import cached_property

import torch

from stylehead.media.audio import Sound
from stylehead.models.voice_filter import VoiceFilter
from stylehead.options import Separate
from stylehead.progress import SILENT, Reporter
from stylehead.speech.separation import NoSeparator, Separator, VoiceSeparator
from stylehead.speech.spleeter import SpleeterSeparator
from stylehead.weights.networks import load_network, load_spleeter
from stylehead.weights.store import resolve

MUSIC = -18.0  # dB of what is no voice, against the voice, from which Spleeter is worth its time


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
        if self._spleeter.look(sound, reporter).music < MUSIC:
            return self._filter
        reporter.say("Music plays behind the voice: Spleeter separates them.")
        return self._spleeter

    @cached_property
    def _spleeter(self) -> SpleeterSeparator:
        voice, music = load_spleeter(resolve("spleeter"), self._device)
        return SpleeterSeparator(voice, music, self._filter)
