"""Which separator a recording gets: what the user says, or what sounds behind the voice."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch

from stylehead.errors import WeightsError
from stylehead.media.audio import Sound
from stylehead.models.spleeter import SpleeterUNet
from stylehead.models.voice_filter import VoiceFilter
from stylehead.options import Separate
from stylehead.progress import SILENT, Reporter
from stylehead.speech.separation import NoSeparator, Separator, Voice, VoiceSeparator
from stylehead.speech.spleeter import SpleeterSeparator
from stylehead.weights.networks import load_network, load_published
from stylehead.weights.store import load_state, resolve

MUSIC = -15.0  # dB of what is no voice, against the voice, from which Spleeter is worth its time
NOTHING = 1e-9  # energy, so that silence has a level


class Separators:
    """The separators that a choice allows; those that are large are loaded when first needed."""

    def __init__(self, choice: Separate, device: torch.device) -> None:
        """Load what is built in; raises WeightsError."""
        self._choice, self._device = choice, device
        self._built_in = VoiceSeparator(load_network(VoiceFilter, resolve("voice_filter"), device))
        self._spleeter: SpleeterSeparator | None = None
        self._missing: WeightsError | None = None

    def choose(self, sound: Sound, reporter: Reporter = SILENT) -> Separator:
        """Return the separator for a recording; raises WeightsError when a named one is missing."""
        if self._choice is Separate.OFF:
            return NoSeparator()
        if self._choice is Separate.SPLEETER:
            return self._load_spleeter(reporter)
        if self._choice is Separate.BUILT_IN or not self._has_music(sound, reporter):
            return self._built_in
        reporter.say("Music plays behind the voice: Spleeter is to separate them.")
        try:
            return self._load_spleeter(reporter)
        except WeightsError as failure:
            reporter.say(
                f"Note: Spleeter cannot be had: {failure} The built-in filter separates the voice; "
                "lips follow a song less well with it. "
                "To get Spleeter: stylehead weights get --profile separation"
            )
            return self._built_in

    def _has_music(self, sound: Sound, reporter: Reporter) -> bool:
        reporter.start("Looking for music", math.ceil(sound.seconds / 10))

        def counted() -> Iterable[Voice]:
            for voice in self._built_in.separate(sound):
                yield voice
                reporter.advance()

        return music_level(counted()) > MUSIC

    def _load_spleeter(self, reporter: Reporter) -> SpleeterSeparator:
        if self._spleeter is None:
            if self._missing:  # sources that did not answer are not asked for each recording
                raise self._missing
            try:
                voice = _load_unet("spleeter_voice", self._device, reporter)
                music = _load_unet("spleeter_music", self._device, reporter)
            except WeightsError as failure:
                self._missing = failure
                raise
            self._spleeter = SpleeterSeparator(voice, music, self._built_in)
        return self._spleeter


def _load_unet(name: str, device: torch.device, reporter: Reporter) -> SpleeterUNet:
    with torch.device("meta"):
        net = SpleeterUNet()
    load_published(net, load_state(name, reporter=reporter), name)
    return net.to(device)


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
