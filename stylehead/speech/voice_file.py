"""What would be listened to in a recording, written to a file to be judged by ear."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from stylehead import files
from stylehead.compute.device import choose_device
from stylehead.media.audio import open_audio
from stylehead.media.sound_file import SOUND_SUFFIXES, write_sound
from stylehead.options import VoiceOptions
from stylehead.progress import Reporter
from stylehead.speech.listen import report_of
from stylehead.speech.separators import Separators
from stylehead.types import SPEECH_RATE, Floats


def write_voice(audio: Path, output: Path, options: VoiceOptions, reporter: Reporter) -> None:
    """Write the voice of a recording as a speech encoder takes it: mono at 16 kHz, WAV or FLAC.

    Raises MediaError, WeightsError or DeviceError.
    """
    files.check_output(
        output, overwrite=options.overwrite, suffixes=SOUND_SUFFIXES, inputs=(audio,)
    )
    sound = open_audio(audio, start=options.start, duration=options.duration)
    separators = Separators(options.separate, choose_device(options.device))
    report, separator = report_of(sound, separators, reporter=reporter)

    def blocks() -> Iterator[Floats]:
        reporter.start("Listening", math.ceil(sound.seconds / 10))
        for voice in separator.separate(sound):
            report.count(voice)
            yield voice.for_encoder
            reporter.advance()

    write_sound(output, blocks(), SPEECH_RATE)
    reporter.say(report.summary(sound))
