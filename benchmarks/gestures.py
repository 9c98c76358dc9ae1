"""Does a style's head move as its person's does? Gestures beside a sampled head.

    python benchmarks/gestures.py FOLDER... [--known]

FOLDERs hold clips as `stylehead prepare` tracked them. Of each clip of people that no stage was
trained on, with twelve seconds and a voice of its own, the first half is learned; the other half is
what a motion is compared with, which is predicted for that half's own sound, at three seeds. Ways:
`sampled`, a style without a contour, as files of format 2 have it; `gestures`; and the learned half
itself, as near as a person comes to itself. With `--known` the same of people that were trained on,
on whom settings are chosen.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks, welch

from stylehead.errors import StyleheadError
from stylehead.evaluation.measures import mean_with_interval
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import brow_height, mouth_opening
from stylehead.finetuning.speech import EncodedSpeech, encode_speech, unheard_speech
from stylehead.media.audio import open_audio
from stylehead.motion.eyes import blink_habit, sample_blinks
from stylehead.motion.generate import predict_motion
from stylehead.motion.gestures.contour import clip_contour
from stylehead.motion.stream import generate
from stylehead.options import Encoding, MotionControls
from stylehead.pipeline.clip_sound import CONTOUR, said_with
from stylehead.pipeline.run import Predictor, load_predictor
from stylehead.speech.listen import measure_voice
from stylehead.style.learn import STYLE_FPS, blink_count, learn_style, style_statistics
from stylehead.style.mix import as_mix
from stylehead.training.data.clips import PEOPLE, Clip, load_clip
from stylehead.types import ENERGY, SPEECH_RATE, STRESS, VOICE, Floats, Motion, Style

LEAST_SECONDS = 12.0
SEEDS = range(3)
BANDS = ((0.1, 0.4), (0.4, 1.0), (1.0, 2.0), (2.0, 4.0))
"""Hz: sways, turns, nods, shakes."""
TREMBLING = 0.05  # degrees; what is smaller is the tracker's
STRESSED, NEAR = (
    0.3,
    0.2,
)  # stress from which a syllable counts, and seconds in which a nod is on it
PAUSE = 0.5  # gate under which there is a pause
COLUMNS = {
    "spectrum": "dB by which head angles differ from the other half, mean over bands",
    "range": "range of head angles over the other half's",
    "nods": "% of stressed syllables with a nod",
    "pause": "head's speed in pauses over that in speech",
    "r energy": "correlation of the head's speed with the voice's energy",
    "brow range": "range of the brows' height over the other half's",
    "r brow": "correlation of the brows' speed with the voice's energy",
    "blinks": "a minute",
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Halves:
    """A clip in two: the style of the first half, motion and sound of the other."""

    name: str
    style: Style
    other: Motion
    contour: Floats
    """(T, 3) of the other half's sound."""
    speech: EncodedSpeech


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--most", type=int, default=1000, help="clips")
    asked = parser.parse_args()
    predictor = load_predictor(Encoding(), torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        paths = (path for place in asked.folders for path in sorted(place.glob("*.npz")))
        clips = (load_clip(path) for path in paths)
        chosen = (clip for clip in clips if (clip.person in PEOPLE) != asked.known)
        found = itertools.islice(halves_of(chosen, predictor, Path(folder)), asked.most)
        halves = list(found)
    table(halves, predictor)
    neutral = encode_speech(unheard_speech(), predictor.listener)
    alike_table([one.style for one in halves], neutral, predictor)


def halves_of(clips: Iterator[Clip], predictor: Predictor, folder: Path) -> Iterator[Halves]:
    """Yield the clips that this is about, halved."""
    for clip in clips:
        if len(clip.samples) < LEAST_SECONDS * SPEECH_RATE:
            continue
        path = folder / f"{clip.name}.wav"
        try:
            half = halved(clip, path, predictor)
        except StyleheadError as error:
            print(f"left out: {clip.name}: {error}")
            continue
        if half.style.provenance[CONTOUR] == "sound":
            yield half


def halved(clip: Clip, path: Path, predictor: Predictor) -> Halves:
    """Return a clip in two; its sound goes through a file."""
    track = clip.track
    middle = float(track.seconds[0] + track.seconds[-1]) / 2
    early = track.seconds < middle
    soundfile.write(path, clip.samples, SPEECH_RATE)
    listener = predictor.listener
    first, second = open_audio(path, duration=middle), open_audio(path, start=middle)
    style, _ = learn_style(track[early], clip.name, source_sha256=clip.name)
    style = said_with(style, style.times, *measure_voice(first, listener.separators))
    other, _ = learn_style(track[~early], clip.name)
    times = other.times - np.float32(middle)
    contour, _ = clip_contour(other.motion, times, *measure_voice(second, listener.separators))
    return Halves(
        name=clip.name,
        style=style,
        other=other.motion,
        contour=contour,
        speech=encode_speech(second, listener),
    )


def ways_of(half: Halves) -> dict[str, Style]:
    """Return the styles that are compared, by name."""
    return {"sampled": replace(half.style, contour=None), "gestures": half.style}


def predict(style: Style, speech: EncodedSpeech, predictor: Predictor, seed: int) -> Motion:
    """Return the motion of a speech in a style at STYLE_FPS."""
    controls = MotionControls(seed=seed, posture=0)
    return predict_motion(
        speech.replay(), as_mix(style), predictor.networks, fps=STYLE_FPS, controls=controls
    )


# ---- against the other half -----------------------------------------------------------------


def table(halves: list[Halves], predictor: Predictor) -> None:
    """Print means over clips of each way, and how far lips and time are from those before."""
    rows: dict[str, list[list[float]]] = {}
    syncs: dict[str, list[float]] = {}
    seconds: dict[str, float] = {}
    rates: dict[str, list[float]] = {}
    for half in halves:
        own = measures(half.other, half.contour, half.other)
        rows.setdefault("the clip's other half", []).append(own)
        assert half.style.contour is not None
        learned = measures(half.style.motion, half.style.contour, half.other)
        rows.setdefault("its learned half", []).append(learned)
        untuned = generate(half.speech.replay(), [predictor.networks.generator], STYLE_FPS)
        usual = opening(untuned.landmarks[0], half.other.neutral)
        for way, style in ways_of(half).items():
            began = time.process_time()
            motions = [predict(style, half.speech, predictor, seed) for seed in SEEDS]
            seconds[way] = seconds.get(way, 0) + time.process_time() - began
            values = [measures(motion, half.contour, half.other) for motion in motions]
            rows.setdefault(way, []).append(list(np.nanmean(values, axis=0)))
            made = [opening(motion.landmarks, half.other.neutral) for motion in motions]
            syncs.setdefault(way, []).append(float(np.mean([correlation(o, usual) for o in made])))
            rates.setdefault(way, []).append(blinks(whole(half, style), half.contour))
    print(f"{len(halves)} clips of {len({half.name for half in halves})}; means, half of 95 %")
    print("\t".join(("way", *COLUMNS)))
    for way, values in rows.items():
        print("\t".join((way, *(shown(column) for column in np.array(values).T))))
    for way, found in syncs.items():
        near = np.mean([0.8 <= rate <= 1.2 for rate in rates[way]])
        print(
            f"{way}: opening r with un-tuned {np.mean(found):.3f}, least {np.min(found):.3f}; "
            f"blinks in ten minutes over the clip's {np.median(rates[way]):.2f} (median), "
            f"within 20 % in {near:.0%}; {seconds[way]:.1f} s of CPU"
        )
    for name, meaning in COLUMNS.items():
        print(f"{name}: {meaning}")


def whole(half: Halves, style: Style) -> Style:
    """Return a style with the motion of both halves: blinks are too few in one."""
    motion = Motion.joined([style.motion, half.other])
    contour = None if style.contour is None else np.concatenate([style.contour, half.contour])
    times = np.arange(len(motion), dtype=np.float32) / np.float32(motion.fps)
    statistics = style_statistics(motion)
    return replace(style, motion=motion, times=times, contour=contour, statistics=statistics)


def blinks(style: Style, contour: Floats) -> float:
    """Return how often a style blinks in ten minutes of a sound, over what its clip does."""
    frames = round(600 * STYLE_FPS)
    voice = np.resize(contour[:, VOICE], frames)
    habit, rng = blink_habit(style), np.random.default_rng(0)
    made = blink_count(sample_blinks(frames, voice, STYLE_FPS, habit, rng)) / 10
    return made / max(1.0, style.statistics["blinks_per_minute"])


def measures(motion: Motion, contour: Floats, reference: Motion) -> list[float]:
    """Return COLUMNS of a motion to a sound with a contour (T, 3)."""
    count = min(len(motion), len(contour))
    motion, contour = motion[:count], contour[:count]
    rate = float(motion.fps)
    angles, wanted = (angles_from_rotation(one.rotation) for one in (motion, reference))
    brow, brows = (brow_height(one.landmarks + one.neutral) for one in (motion, reference))
    speed = np.linalg.norm(np.gradient(gaussian_filter1d(angles, 1.5, axis=0), axis=0), axis=1)
    browed = np.abs(np.gradient(gaussian_filter1d(brow, 1.5)))
    energy = gaussian_filter1d(contour[:, ENERGY], 0.1 * rate)
    quiet = contour[:, VOICE] < PAUSE
    paused = float(speed[quiet].mean() / speed[~quiet].mean()) if quiet.sum() > rate else np.nan
    return [
        float(np.abs(bands(angles, rate) - bands(wanted, rate)).mean()),
        float((spread(angles) / spread(wanted)).mean()),
        nods(angles[:, 0], contour[:, STRESS], rate),
        paused,
        correlation(gaussian_filter1d(speed, 0.1 * rate), energy),
        float(spread(brow) / spread(brows)),
        correlation(gaussian_filter1d(browed, 0.1 * rate), energy),
        blink_count(motion.blink) / (motion.seconds / 60),
    ]


def spread(values: Floats) -> Floats:
    """Return the way from the 5th to the 95th percentile of each column."""
    low, high = np.percentile(values, [5, 95], axis=0)
    return high - low + 1e-3


def bands(angles: Floats, rate: float) -> Floats:
    """Return the power (4, 3) in dB of head angles (T, 3) in BANDS."""
    size = min(len(angles), round(8 * rate))
    hertz, power = welch(angles, rate, nperseg=size, axis=0, detrend="linear")
    inside = [power[(hertz >= low) & (hertz < high)].mean(0) for low, high in BANDS]
    return 10 * np.log10(np.array(inside) + TREMBLING**2)


def nods(pitch: Floats, stress: Floats, rate: float) -> float:
    """Return the share in % of stressed syllables on which a head is lowest, less that by chance.

    Chance is the same with the sound moved by other lengths.
    """
    calm = gaussian_filter1d(pitch, 0.05 * rate)
    lowest, _ = find_peaks(calm, prominence=max(0.3, 0.2 * float(calm.std())))
    stressed, _ = find_peaks(stress, height=STRESSED)
    if not len(stressed) or not len(lowest):
        return float("nan") if not len(stressed) else 0.0

    def share(shift: int) -> float:
        moved = (stressed + shift) % len(pitch)
        return float((np.abs(moved[:, None] - lowest).min(1) <= NEAR * rate).mean())

    chance = [share(round(part * len(pitch))) for part in np.linspace(0.15, 0.85, 15)]
    return 100 * (share(0) - float(np.mean(chance)))


def opening(landmarks: Floats, neutral: Floats) -> Floats:
    """Return the mouth's opening (T,) of offsets on a face."""
    return mouth_opening(landmarks + neutral)


def correlation(a: Floats, b: Floats) -> float:
    """Return the correlation of two curves; NaN where one does not move."""
    if a.std() < 1e-9 or b.std() < 1e-9:
        return float("nan")
    count = min(len(a), len(b))
    return float(np.corrcoef(a[:count], b[:count])[0, 1])


def shown(values: Floats) -> str:
    """Return a mean with half of its 95 % bootstrap interval."""
    known = values[np.isfinite(values)]
    measure = mean_with_interval(known) if len(known) else None
    return str(measure) if measure else ""


# ---- styles beside each other ---------------------------------------------------------------


def alike_table(styles: list[Style], speech: EncodedSpeech, predictor: Predictor) -> None:
    """Print how alike heads of two styles are at one seed, and a head to itself later on."""
    print("\nall styles to one speech, seed 0")
    print(
        "way\tmean |r| of pitch\tyaw\troll\t95th percentile\tlargest r of a head with itself later"
    )
    for way in ("sampled", "gestures"):
        angles: list[Floats] = []
        for style in styles:
            used = style if way == "gestures" else replace(style, contour=None)
            angles.append(angles_from_rotation(predict(used, speech, predictor, 0).rotation))
        pairs = np.abs(
            [
                [correlation(a[:, axis], b[:, axis]) for axis in range(3)]
                for a, b in itertools.combinations(angles, 2)
            ]
        )
        again = [repeated(one) for one in angles]
        cells = [*np.nanmean(pairs, axis=0), np.nanpercentile(pairs, 95), np.mean(again)]
        print("\t".join((way, *(f"{cell:.2f}" for cell in cells))))
    itself = [repeated(angles_from_rotation(style.motion.rotation)) for style in styles]
    print(f"clips\t\t\t\t\t{np.mean(itself):.2f}")


def repeated(angles: Floats) -> float:
    """Return how alike two stretches of 2 s of a head (T, 3) are at most, 3 s and more apart."""
    rate = float(STYLE_FPS)
    speed = np.gradient(gaussian_filter1d(angles, 1.5, axis=0), axis=0)
    size, step = round(2 * rate), 3
    windows = np.lib.stride_tricks.sliding_window_view(speed, size, axis=0)[::step]
    flat = windows.reshape(len(windows), -1)
    flat = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-9)
    alike = flat @ flat.T
    apart = np.abs(np.subtract.outer(np.arange(len(flat)), np.arange(len(flat)))) * step
    return float(alike[apart >= 3 * rate].max(initial=0.0))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
