"""Which separator a recording gets: what the user says, or what sounds behind the voice."""

from __future__ import annotations

import torch

from stylehead.media.audio import Sound
from stylehead.models.voice_filter import VoiceFilter
from stylehead.options import Separate
from stylehead.progress import SILENT, Reporter
from stylehead.speech.separation import NoSeparator, Separator, VoiceSeparator
from stylehead.speech.spleeter import Look, SpleeterSeparator
from stylehead.weights.networks import load_network, load_spleeter
from stylehead.weights.store import resolve

MUSIC = -18.0  # dB of what is no voice, against the voice, from which Spleeter is worth its time


class Separators:
    """The separators that a choice allows; Spleeter, 80 MB, is loaded for each recording anew."""

    def __init__(self, choice: Separate, device: torch.device, *, workers: int = 1) -> None:
        """Take the choice; `workers` stretches of a song are separated at once."""
        self._choice, self._device, self._workers = choice, device, workers
        self._filter = VoiceSeparator(load_network(VoiceFilter, resolve("voice_filter"), device))
        self._looked: tuple[Sound, Look] | None = None

    def choose(self, sound: Sound, reporter: Reporter = SILENT) -> Separator:
        """Return the separator for a recording."""
        if self._choice is Separate.OFF:
            return NoSeparator()
        if self._choice is Separate.FILTER:
            return self._filter
        looked = self._looked if self._looked and self._looked[0] is sound else None
        if looked and looked[1].music < MUSIC and self._choice is Separate.AUTO:
            return self._filter
        nets = load_spleeter(resolve("spleeter"), self._device)
        spleeter = SpleeterSeparator(*nets, self._filter, looked, workers=self._workers)
        if self._choice is Separate.SPLEETER:
            return spleeter
        self._looked = (sound, spleeter.look(sound, reporter))
        if self._looked[1].music < MUSIC:
            return self._filter
        reporter.say("Music plays behind the voice: Spleeter separates them.")
        return spleeter
