"""Lips against sound: every way of hearing, judged by people no stage was trained on.

    python benchmarks/motion.py --data DATA [--runs RUNS] [--noise FOLDER] [--music FOLDER]

DATA is what `stylehead prepare` made of the clips; sync is as `stylehead train motion` measured
it. RUNS holds motion_NAME.safetensors to take instead of the shipped ones. Prints tables: held-out
people (mean over people, half of a 95 % bootstrap interval), leaks in silence, noise and music,
closed lips in /p b m/, and speed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import wave
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from first_model import load_first_model
from scipy.ndimage import gaussian_filter1d

from stylehead.errors import MediaError
from stylehead.evaluation.baselines import Baselines
from stylehead.evaluation.measures import mean_with_interval
from stylehead.evaluation.metrics import FRAME_METRICS
from stylehead.evaluation.mouth import SILENT_GATE, silence_leak
from stylehead.evaluation.ravdess import FACE_WIDTH
from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import mouth_opening, to_68
from stylehead.media.audio import Sound, open_audio
from stylehead.models.motion_generator import MotionGenerator
from stylehead.options import DEFAULT_STYLE, Encoder, Encoding
from stylehead.pipeline.run import Predictor, load_predictor
from stylehead.speech.av_offset import measure_offset
from stylehead.speech.encoders import LogMelEncoder
from stylehead.style.file import find_style
from stylehead.training.av_sync import OFFSETS, has_clear_sync, read_offsets
from stylehead.training.data.clips import (
    FIRST_PEOPLE,
    LATER_PEOPLE,
    PEOPLE,
    SINGERS,
    load_clips,
)
from stylehead.training.data.speakers import Speaker, load_speakers
from stylehead.training.data.synthetic_speech import BILABIALS, synthesise
from stylehead.training.encoders import NAMES, encoder_named
from stylehead.types import SPEECH_RATE, Floats
from stylehead.weights.networks import load_network
from stylehead.weights.store import PACKAGE

FPS = Fraction(60)
NEAR = 6  # frames either way in which the best lag is sought: 0.1 s
COLUMNS = ("opening r", "lag, ms", *FRAME_METRICS, "articulation", "silence leak %")
VOICES = ("slt", "kal")
"""Synthesised voices that no training heard."""
SENTENCES = (
    "Peter may bring a bumble bee to the pub.",
    "Many small boats pass below the palm trees.",
    "A bump on the map may be a mountain.",
    "Please put my number above the empty box.",
    "The summer camp began with a big problem.",
    "Mama baked apple bread for Papa.",
)
GROUPS = {
    "held out since 0.1": FIRST_PEOPLE,
    "later footage": LATER_PEOPLE,
    "singers": SINGERS,
}
NEUTRAL = to_68(FaceModel.embedded().mean)


def main() -> None:
    """Print the tables that the given folders allow."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--noise", type=Path, help="folder of recorded noises")
    parser.add_argument("--music", type=Path, help="folder of instrumental music")
    parser.add_argument("--encoder", action="append", choices=NAMES, help="only these")
    asked = parser.parse_args()
    usual = load_predictor(Encoding(encoder=Encoder.WHISPER), torch.device("cpu"))
    print(f"default: {usual.encoder}")
    predictors: dict[str, Predictor] = {}
    for name in asked.encoder or NAMES:
        places = [*([asked.runs] if asked.runs else []), PACKAGE / "assets"]
        found = [one / f"motion_{name}.safetensors" for one in places]
        path = next((one for one in found if one.is_file()), None)
        if path is None:
            print(f"no weights for {name}")
            continue
        generator = load_network(MotionGenerator, path)
        listener = replace(usual.listener, name=name, encoder=encoder_named(name))
        networks = replace(usual.networks, generator=generator)
        predictors[name] = Predictor(listener, networks)
    held_out_table(asked.data, usual, predictors)
    leak_table(asked.data, usual, asked.noise, asked.music)
    closure_table(predictors)
    speed_table(usual)


# ---- held-out people ------------------------------------------------------------------------


def held_out_table(data: Path, usual: Predictor, predictors: dict[str, Predictor]) -> None:
    """Print the mean of each column over held-out people: a table a group, a row a method."""
    measured = read_offsets(data / OFFSETS)
    speakers, _ = load_speakers(load_clips(data / "clips"))
    tables: dict[str, dict[str, dict[str, list[list[float]]]]] = {name: {} for name in GROUPS}
    baselines, first = Baselines(), load_first_model()
    for speaker in speakers:
        if speaker.person not in PEOPLE:
            continue
        best, lag = measured[speaker.name]
        if not has_clear_sync(measured[speaker.name]):
            print(f"left out, no clear sync: {speaker.name} ({best:.2f} at {lag} frames)")
            continue
        rows = next(tables[name] for name, people in GROUPS.items() if speaker.person in people)
        with sound_of(speaker.samples) as sound:
            voice = usual.unstyled(sound, FPS).voice
            found = baselines.predict(sound, FPS, len(speaker.offsets))
            if first:
                features = torch.cat(list(LogMelEncoder().encode([speaker.samples])))
                offsets = gaussian_filter1d(first(features).numpy(), 1.2, axis=0)
                found["first model"] = offsets[: len(voice)] * voice[: len(offsets), None, None]
            for name, models in predictors.items():
                found[name] = models.unstyled(sound, FPS).landmarks[0]
        found["ground truth"] = shifted(speaker, -lag)
        for name, offsets in found.items():
            values = validate(speaker, lag, offsets, voice)
            rows.setdefault(name, {}).setdefault(speaker.person, []).append(values)
    for group, rows in tables.items():
        if rows:
            print_table(group, rows)


def print_table(group: str, rows: dict[str, dict[str, list[list[float]]]]) -> None:
    """Print one group's table: method -> person -> clips -> COLUMNS."""
    clips = next(iter(rows.values()))
    print(f"\n{group}: {sum(map(len, clips.values()))} clips of {len(clips)} people")
    print("\t".join(("method", *COLUMNS)))
    for name, people in rows.items():
        means = np.array([mean_of(clips) for clips in people.values()])
        print("\t".join((name, *(shown(means[:, i]) for i in range(len(COLUMNS))))))


def mean_of(clips: list[list[float]]) -> Floats:
    """Return the mean of each column over a person's clips; NaN where no clip has a number."""
    values = np.array(clips)
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)


def shifted(speaker: Speaker, lag: int) -> Floats:
    """Return a speaker's offsets, moved to be `lag` frames later than filmed."""
    rows = (np.arange(len(speaker.offsets)) - lag).clip(0, len(speaker.offsets) - 1)
    return speaker.offsets[rows]


def validate(speaker: Speaker, lag: int, offsets: Floats, voice: Floats) -> list[float]:
    """Return COLUMNS for one clip and method, the picture moved by its measured lag."""
    wanted = shifted(speaker, -lag)
    length = min(len(wanted), len(offsets), len(voice)) - abs(lag)
    first = max(0, -lag)
    rows = slice(first, first + length)
    wanted, offsets, voice = wanted[rows], offsets[rows], voice[rows]
    real, made = opening(wanted), opening(offsets)
    best, at = best_lag(real, made)
    pixels = [(NEUTRAL + one)[..., :2].astype(np.float64) for one in (wanted, offsets)]
    scale = FACE_WIDTH / float(np.ptp(NEUTRAL[:, 0]))
    frame = [metric(pixels[0] * scale, pixels[1] * scale) for metric in FRAME_METRICS.values()]
    silent = voice < SILENT_GATE
    leak = 100 * silence_leak(made, silent) if silent.sum() > 6 else float("nan")
    return [best, at, *frame, float(made.std() / real.std()), leak]


def opening(offsets: Floats) -> Floats:
    """Return how far the mouth is open beyond the neutral face's: (T,), interocular."""
    return mouth_opening(NEUTRAL + offsets) - mouth_opening(NEUTRAL)


def best_lag(real: Floats, made: Floats) -> tuple[float, float]:
    """Return the best correlation within NEAR frames and its lag in milliseconds."""
    if made.std() < 1e-6:
        return float("nan"), float("nan")
    offset = measure_offset(made, real, reach=NEAR)
    return offset.correlation, 1000 * abs(offset.frames) / float(FPS)


def shown(values: Floats, digits: int = 2) -> str:
    """Return mean and half of a 95 % bootstrap interval over people."""
    values = values[np.isfinite(values)]
    if not len(values):
        return ""
    measure = mean_with_interval(values, resamples=2000)
    return f"{measure.value:.{digits}f} ±{measure.half_interval or 0:.{digits}f}"


# ---- leaks ----------------------------------------------------------------------------------


def leak_table(data: Path, usual: Predictor, noise: Path | None, music: Path | None) -> None:
    """Print the share of frames with the mouth open where there is no voice."""
    print("\nmouth open without a voice, % of frames (worst file)")
    speakers, _ = load_speakers(load_clips(data / "clips"))
    spoken = [one.samples[: 8 * SPEECH_RATE] for one in speakers if one.person in PEOPLE]
    silence = np.zeros(10 * SPEECH_RATE, np.float32)
    among = [np.concatenate([one, silence, one]) for one in spoken[:8]]
    rows = [slice(round((len(one) / SPEECH_RATE + 0.5) * 60), None) for one in spoken]
    rows = [slice(row.start, row.start + 9 * 60) for row in rows]
    report("digital silence in speech", usual, among, rows)
    pauses = [room for one in speakers if one.person in PEOPLE for room in room_tone(one.samples)]
    report("recorded rooms: pauses of held-out clips", usual, pauses)
    for name, folder in (("recorded noises", noise), ("instrumental music", music)):
        if folder:
            report(
                name,
                usual,
                [found for one in sorted(folder.iterdir()) for found in first_30_s(one)],
            )


def first_30_s(path: Path) -> list[Floats]:
    """Return the beginning of a sound file of a second or more; nothing for other files."""
    if path.suffix not in (".ogg", ".wav", ".mp3", ".flac"):
        return []
    try:
        sound = open_audio(path, duration=30.0)
    except MediaError:
        return []
    return [np.concatenate(list(sound.blocks()))] if sound.seconds >= 1 else []


def room_tone(samples: Floats) -> list[Floats]:
    """Return 6 s of a clip's own pauses, one after the other and over again, or nothing."""
    pieces = samples[: len(samples) // 800 * 800].reshape(-1, 800)
    level = 10 * np.log10(np.square(pieces).mean(1) + 1e-12)
    quiet = level < np.percentile(level, 95) - 38
    inner = quiet & np.roll(quiet, 1) & np.roll(quiet, -1)
    if inner.sum() < 10:
        return []
    tone = pieces[inner].ravel()
    return [np.tile(tone, -(-6 * SPEECH_RATE // len(tone)))[: 6 * SPEECH_RATE]]


def report(
    name: str, models: Predictor, sounds: list[Floats], rows: list[slice] | None = None
) -> None:
    """Print the mean leak over sounds, and the worst."""
    leaks: list[float] = []
    for number, samples in enumerate(sounds):
        loud = float(np.sqrt(np.square(samples).mean()))
        if loud < 1e-6:
            continue
        samples = samples * np.float32(max(1.0, 0.02 / loud))  # a quiet room, turned up
        with sound_of(samples) as sound:
            made = opening(models.unstyled(sound, FPS).landmarks[0])
        made = made[rows[number] if rows else slice(None)]
        leaks.append(100 * silence_leak(made, np.ones(len(made), bool)))
    if leaks:
        print(f"{name}\t{len(leaks)} sounds\t{np.mean(leaks):.2f}\t({max(leaks):.1f})")


# ---- closed lips ----------------------------------------------------------------------------


def closure_table(predictors: dict[str, Predictor]) -> None:
    """Print in how many /p b m/ of synthesised speech the lips come together."""
    print("\nlips closed in /p b m/: gap under 10 % of the clip's range")
    with tempfile.TemporaryDirectory() as folder:
        spoken = []
        for voice in VOICES:
            for number, sentence in enumerate(SENTENCES):
                path = Path(folder) / f"{voice}{number}.wav"
                spoken.append((path, synthesise(sentence, voice, path)))
        for name, models in predictors.items():
            shut: list[bool] = []
            for path, phones in spoken:
                gap = opening(models.unstyled(open_audio(path), FPS).landmarks[0])
                low, high = gap.min(), gap.max()
                for phone in phones:
                    if phone.name in BILABIALS:
                        inside = gap[
                            int((phone.start - 0.02) * 60) : int((phone.end + 0.02) * 60) + 1
                        ]
                        shut.append(bool((inside.min() - low) < 0.1 * (high - low)))
            print(f"{name}\t{np.mean(shut):.0%} of {len(shut)}")


# ---- speed ----------------------------------------------------------------------------------


def speed_table(usual: Predictor) -> None:
    """Print seconds from sound to motion for a minute of speech, in a process warmed up."""
    style = find_style(DEFAULT_STYLE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voice.wav"
        synthesise(" ".join(SENTENCES * 4), VOICES[0], path)
        voice = np.concatenate(list(open_audio(path).blocks()))
    for seconds in (5, 60):
        samples = np.resize(voice, seconds * SPEECH_RATE)
        with sound_of(samples) as sound:
            began = time.perf_counter()
            usual.predict(sound, style, fps=FPS)
            took = time.perf_counter() - began
    print(f"\n60 s of speech to motion at 60 fps: {took:.1f} s")


class sound_of:  # noqa: N801 (used like a function)
    """Samples as a recording on disk, for the time of a with block."""

    def __init__(self, samples: Floats) -> None:
        self._samples = samples

    def __enter__(self) -> Sound:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "sound.wav"
        peak = max(1.0, float(np.abs(self._samples).max()))
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SPEECH_RATE)
            file.writeframes((self._samples / peak * 32767).astype(np.int16).tobytes())
        return open_audio(path)

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


if __name__ == "__main__":
    main()
