"""Is the clip's person recognised in how a portrait moves? And which measures can tell?

    python benchmarks/recognition.py measures FOLDER... [--spreads]
    python benchmarks/recognition.py motion FOLDER... --videos VIDEOS... --run RUN
    python benchmarks/recognition.py pictures FOLDER... --videos VIDEOS... --run RUN --portrait P...

FOLDERs hold clips as `stylehead prepare` tracked them, VIDEOS the films themselves. `measures`
prints how often a measure finds the other half of a clip nearer than a stranger's half.
`motion` learns a style from the first half of sixteen clips, eight of them of people that no stage
was trained on, predicts motions for the sounds of two others, and asks which of the sixteen
second halves is nearest. `pictures` asks the same of portraits that were rendered and tracked
again. What was learned or tracked stays in RUN, and goes on from there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
import torch
from retrack import tracked

from stylehead import extract_style, save_style
from stylehead.evaluation.distances import (
    FACE,
    REGIONS,
    STEP,
    energy_distance,
    frechet_distance,
    motion_distance,
    movement_of,
    region_signals,
)
from stylehead.face.performance import recover_performance
from stylehead.finetuning.holdout import style_distances
from stylehead.finetuning.speech import EncodedSpeech, encode_speech
from stylehead.media.audio import Sound, open_audio
from stylehead.media.image import read_image
from stylehead.motion.file import load_motion, save_motion
from stylehead.motion.finishing import at_rate
from stylehead.motion.generate import predict_motion
from stylehead.motion.models import Networks
from stylehead.options import AudioRange, Encoding, MotionControls, StyleEffort
from stylehead.pipeline.run import load_predictor
from stylehead.rendering.mesh_renderer import load_mouth_networks, prepare, render
from stylehead.style.file import find_style, load_style
from stylehead.style.learn import STYLE_FPS
from stylehead.style.mix import as_mix
from stylehead.tracking.portrait import find_portrait
from stylehead.training.data.clips import FIRST_PEOPLE, LATER_PEOPLE, PEOPLE, load_clip
from stylehead.types import SPEECH_RATE, Floats, Motion, Pixels, Style
from stylehead.weights.networks import CPU

LEAST_SECONDS, LONGEST_HALF = 8.0, 20.0  # of a clip that is halved, and of a half
STRANGERS = 3  # of each clip, with which the slow measures are asked
SLOW_SECONDS = 5.0  # of a half that they look at
KNOWN, UNKNOWN, SOUNDS = 8, 8, 2
PICTURES = Fraction(25)
CROP = 320  # pixels of a rendered crop; the tracker looks at fewer
PLAIN = "plain"
FILM = "film"
WAYS = ("plain", "ranges", "transfer", "transfer, shapes 0", FILM)
"""The default style whatever the clip, ranges alone, what is shipped, that without the prior of
mouth shapes, and stretches of the first half itself: what the best of styles could reach."""


@dataclass(frozen=True, slots=True, eq=False)
class Halves:
    """A clip's two halves as motions, each with a neutral face of its own."""

    name: str
    person: str
    cut: float
    """Seconds of the clip that the first half takes."""
    halves: tuple[Motion, Motion]
    voiced: float
    """Seconds of its sound; 0 without one."""


def halves_of(path: Path) -> Halves | None:
    """Return a clip's halves; None for a clip that is too short or often shows no face."""
    clip = load_clip(path)
    seconds = clip.track.seconds - clip.track.seconds[0]
    if clip.track.found.mean() * seconds[-1] < LEAST_SECONDS:
        return None
    middle, cut = seconds[-1] / 2, min(seconds[-1] / 2, LONGEST_HALF)
    rows = (seconds < cut, (seconds >= middle) & (seconds < middle + LONGEST_HALF))
    parts = [clip.track[part] for part in rows]
    if any(part.found.mean() < 0.5 for part in parts):
        return None
    first, second = (recover_performance(part).motion(STYLE_FPS)[0] for part in parts)
    voiced = len(clip.samples) / SPEECH_RATE
    return Halves(clip.name, clip.person, float(cut), (first, second), voiced)


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("measures", "motion", "pictures"))
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--videos", type=Path, nargs="+", default=[])
    parser.add_argument("--run", type=Path)
    parser.add_argument("--portrait", type=Path, nargs="+", default=[])
    parser.add_argument("--way", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each sound")
    parser.add_argument(
        "--effort", type=StyleEffort, default=StyleEffort.NORMAL, help="fast: no transfer is tried"
    )
    parser.add_argument("--kept", action="store_true", help="only styles that RUN holds already")
    parser.add_argument("--spreads", action="store_true", help="print the signals' usual spreads")
    asked = parser.parse_args()
    paths = [path for folder in asked.folders for path in sorted(folder.glob("*.npz"))]
    found = [halves for path in paths if (halves := halves_of(path))]
    if asked.spreads:
        print_spreads(found)
    elif asked.what == "measures":
        print_measures(found)
    else:
        styled = [one for one in found if one.voiced >= LEAST_SECONDS]
        chosen, speakers = choose(styled)
        predictor = load_predictor(Encoding(), CPU)
        asked.run.mkdir(parents=True, exist_ok=True)
        sounds = [sound_of(one.name, paths, asked.run, asked.seconds) for one in speakers]
        here = [not asked.kept or style_path(one, asked.run).is_file() for one in chosen]
        bench = Bench(
            networks=predictor.networks,
            styles={
                number: learned(one, asked.videos, asked.run, asked.effort)
                for number, one in enumerate(chosen)
                if here[number]
            },
            speeches=[encode_speech(sound, predictor.listener) for sound in sounds],
            films=[one.halves[0] for one in chosen],
            seconds=asked.seconds,
            run=asked.run,
        )
        ways = {way: bench.motions(way) for way in asked.way}
        if asked.what == "pictures":
            ways = {way: bench.seen(way, made, asked.portrait) for way, made in ways.items()}
        print_recognition(chosen, ways)


# ---- measures -------------------------------------------------------------------------------


def print_measures(found: list[Halves]) -> None:
    """Print how often each measure finds a clip's other half nearer than a stranger's.

    `other clip`: another clip of the same person, in place of the other half.
    """
    people = [one.person for one in found]
    held_out = sum(person in PEOPLE for person in people)
    print(f"{len(found)} clips of {len(set(people))} people, {held_out} of people held out")
    tables = tables_of(found)
    print("measure\tother half\tother clip\tfirst of all\tadmitted")
    for name, table in tables.items():
        own, nearer, again = table.diagonal(), list[float](), list[float]()
        for clip, row in enumerate(table):
            strangers = np.array([person != people[clip] for person in people]) & ~np.isnan(row)
            nearer.append(float(np.mean(own[clip] < row[strangers])))
            for other in np.flatnonzero([person == people[clip] for person in people]):
                if other != clip and not np.isnan(row[other]):
                    again.append(float(np.mean(row[other] < row[strangers])))
        whole = not np.isnan(table).any()
        first = 100 * np.mean(table.argmin(1) == np.arange(len(table))) if whole else np.nan
        cells = [f"{100 * np.mean(nearer):.1f}", f"{100 * np.mean(again):.0f}" if again else ""]
        cells += ["" if np.isnan(first) else f"{first:.0f}"]
        print("\t".join((name, *cells, "yes" if np.mean(nearer) >= 0.9 else "no")), flush=True)


def tables_of(found: list[Halves]) -> dict[str, Floats]:
    """Return measure -> (C, C): from each first half to each second one; NaN where not asked.

    The slow measures are asked of a clip's own half and of some strangers alone.
    """
    moved = [[movement_of(half) for half in one.halves] for one in found]
    slow = round(SLOW_SECONDS * STYLE_FPS)
    tables: dict[str, Floats] = {}
    for clip in range(len(found)):
        asked = (clip + np.arange(STRANGERS + 1) * len(found) // (STRANGERS + 1)) % len(found)
        for other in range(len(found)):
            kinds = [frechet_distance, energy_distance] if other in asked else [frechet_distance]
            values: dict[str, float] = {}
            for kind in kinds:
                apart = motion_distance(moved[clip][0], moved[other][1], kind)
                name = kind.__name__.split("_")[0]
                for title, parts in (*((one, (one,)) for one in REGIONS), ("face", FACE)):
                    values[f"{name}, {title}"] = apart.of(*parts)
                values[f"{name}, all"] = apart.of()
                values[f"{name}, all, positions"] = sum(apart.place.values())
                values[f"{name}, all, velocities"] = sum(apart.speed.values())
            if other in asked:
                halves = found[other].halves[1][:slow], found[clip].halves[0][:slow]
                for posed in (False, True):
                    windowed = asdict(style_distances(*halves, posed=posed))
                    pose = ", with head pose" if posed else ""
                    values |= {f"{field.upper()}{pose}": windowed[field] for field in windowed}
            for name, value in values.items():
                table = tables.setdefault(name, np.full((len(found),) * 2, np.nan))
                table[clip, other] = value
    return tables


def print_spreads(found: list[Halves]) -> None:
    """Print SPREADS of the distances, as they stand there."""
    step = round(STEP * float(STYLE_FPS))
    signals = [region_signals(half) for one in found for half in one.halves]
    for region in REGIONS:
        values = [one[region] for one in signals]
        moves = [value[step:] - value[:-step] for value in values]
        print(f'    "{region}": (')
        for part in (values, moves):
            spread = np.sqrt(np.mean([value.var(0) for value in part], 0))
            print(f"        ({', '.join(f'{number:.2g}' for number in spread)}),")
        print("    ),")


# ---- recognition ----------------------------------------------------------------------------


def choose(found: list[Halves]) -> tuple[list[Halves], list[Halves]]:
    """Return the clips of styles, and the clips whose sounds are spoken.

    The longest clip of each person, in whole seconds; of people held out the eight longest, then
    the two longest that are left, and of the others the eight longest.
    """
    longest: dict[str, Halves] = {}
    for one in sorted(found, key=lambda one: -round(one.voiced)):
        longest.setdefault(one.person, one)
    speakers = FIRST_PEOPLE | LATER_PEOPLE
    unknown = [one for one in longest.values() if one.person in speakers]
    known = [one for one in longest.values() if one.person not in PEOPLE]
    return [*unknown[:UNKNOWN], *known[:KNOWN]], unknown[UNKNOWN : UNKNOWN + SOUNDS]


def learned(one: Halves, videos: list[Path], run: Path, effort: StyleEffort) -> Style:
    """Return the style of a clip's first half as the main job learns it; from RUN if there."""
    path = style_path(one, run)
    if not path.is_file():
        (video,) = [folder / one.name for folder in videos if (folder / one.name).is_file()]
        clip = AudioRange(start=0, duration=one.cut)
        save_style(extract_style(video, one.name, clip=clip, effort=effort), path)
        print(f"learned {one.name}", flush=True)
    return load_style(path)


def style_path(one: Halves, run: Path) -> Path:
    """Return where the style of a clip's first half is kept."""
    return run / f"{one.name}.style"


def sound_of(name: str, paths: list[Path], run: Path, seconds: float) -> Sound:
    """Return the beginning of a clip's sound."""
    clip = next(clip for path in paths if path.stem == name for clip in [load_clip(path)])
    path = run / f"{name}.wav"
    soundfile.write(path, clip.samples, SPEECH_RATE)
    return open_audio(path, duration=seconds)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bench:
    """Sixteen styles, or some of them by number, and two sounds."""

    networks: Networks
    styles: dict[int, Style]
    speeches: list[EncodedSpeech]
    films: list[Motion]
    """The first half of each of the sixteen clips."""
    seconds: float
    """Of each sound, and of each stretch of a film."""
    run: Path

    def motions(self, way: str) -> dict[int, list[Motion]]:
        """Return, for each style, the motion of each sound."""
        name, _, shapes = way.partition(", shapes ")
        controls = MotionControls(shapes=float(shapes or 1))
        if name == PLAIN:
            return dict.fromkeys(self.styles, self._predict(find_style(PLAIN), controls))
        if name == FILM:
            return {number: self._filmed(self.films[number]) for number in self.styles}
        return {
            number: self._predict(
                replace(style, tuning=None) if name == "ranges" else style, controls
            )
            for number, style in self.styles.items()
        }

    def _predict(self, style: Style, controls: MotionControls) -> list[Motion]:
        mix = as_mix(style)
        return [
            predict_motion(speech.replay(), mix, self.networks, fps=PICTURES, controls=controls)
            for speech in self.speeches
        ]

    def _filmed(self, film: Motion) -> list[Motion]:
        """Return as many stretches of a film as there are sounds, evenly spread."""
        frames = round(self.seconds * STYLE_FPS)
        starts = np.linspace(0, max(0, len(film) - frames), len(self.speeches)).astype(int)
        return [at_rate(film[start : start + frames], PICTURES) for start in starts]

    def seen(
        self, way: str, made: dict[int, list[Motion]], portraits: list[Path]
    ) -> dict[int, list[Motion]]:
        """Return the motions that the tracker sees in rendered portraits, from RUN if there."""
        networks = load_mouth_networks(CPU)
        seen: dict[int, list[Motion]] = {}
        for number, motions in made.items():
            references = self.styles[number].references
            for picture in portraits:
                for sound, motion in enumerate(motions):
                    path = self.run / f"{number}, {way}, {picture.stem}, {sound}.npz"
                    if not path.is_file():
                        portrait = find_portrait(read_image(picture), name=str(picture))
                        scene = prepare(portrait, references, networks, crop_size=CROP, device=CPU)
                        save_motion(retracked(render(scene, motion)), path)
                        print(f"seen: {path.stem}", flush=True)
                    seen.setdefault(number, []).append(load_motion(path))
        return seen


def retracked(frames: Iterable[Pixels]) -> Motion:
    """Return the motion that the tracker sees in pictures."""
    return recover_performance(tracked(frames, PICTURES)).motion(STYLE_FPS)[0]


def print_recognition(chosen: list[Halves], ways: dict[str, dict[int, list[Motion]]]) -> None:
    """Print in how many motions the nearest second half is the style's own; halves as ceiling."""
    targets = [movement_of(one.halves[1]) for one in chosen]
    halves = {number: [one.halves[0]] for number, one in enumerate(chosen)}
    rows = {"the first half itself": halves} | ways
    print("way\tright, %\tright, people held out, %\tplace of the right one\tdistance\tface\tSLD")
    for way, made in rows.items():
        places, distances = list[list[int]](), list[list[float]]()
        for number, motions in made.items():
            for motion in motions:
                steady = at_rate(motion, STYLE_FPS)
                moved = movement_of(steady)
                apart = [motion_distance(target, moved) for target in targets]
                order = np.argsort([one.of() for one in apart])
                places.append([number, int(np.flatnonzero(order == number)[0]) + 1])
                own = chosen[number].halves[1][: round(SLOW_SECONDS * STYLE_FPS)]
                sld = style_distances(own, steady).sld
                distances.append([apart[number].of(), apart[number].of(*FACE), sld])
        number, place = np.array(places).T
        right = place == 1
        cells = [f"{100 * right.mean():.0f}", f"{100 * right[number < UNKNOWN].mean():.0f}"]
        cells += [f"{place.mean():.1f}", *(f"{value:.3f}" for value in np.mean(distances, 0))]
        print("\t".join((way, *cells)), flush=True)
    print(f"chance: {100 / len(chosen):.0f} %, place {(len(chosen) + 1) / 2:.1f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
