"""How much of a clip's mean expression arrives in the landmarks, and in the picture?

    python benchmarks/expression.py usual FOLDER...
    python benchmarks/expression.py lasting FOLDER...
    python benchmarks/expression.py arrive FOLDER... --portrait P... --run RUN [--clip WORD...]
    python benchmarks/expression.py actors RAVDESS --portrait P... --run RUN

FOLDERs hold clips as `stylehead prepare` tracked them. `usual` prints medians and spreads of calm
faces, as they stand in `stylehead/face/lasting.py`. `lasting` asks people with several clips, none
held out, whether the expression that is found to last follows what the clip's calm face differs by
from the person's other clips. `arrive` learns a style from each clip, ranges
alone, speaks neutral speech in it, renders portraits and tracks them again. Measures are means over
frames at a shut mouth (less what an opening usually takes along): of the clip less the median of
people; of the motion less its neutral; of the picture less the same portrait in the style plain.
Printed for each clip, and over clips slope and r of motion and picture against the clip, in
landmarks and in expression scores. With `--clip` only those whose names hold a WORD; otherwise the
longest clip of each person held out. `actors` does the same with actors who say the same sentences
angry and surprised, surprised less angry: their own faces do not count then. Their neutral is the
mean of both, since landmarks without pictures have no scores to tell an expression that lasts.
What was tracked stays in RUN.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from retrack import tracked

from stylehead.evaluation.ravdess import frontal_motion
from stylehead.face.articulation import usual_way
from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import align
from stylehead.face.landmarks import (
    RIGID,
    brow_height,
    eye_aspect,
    mouth_opening,
    mouth_width,
    to_68,
)
from stylehead.face.lasting import SIGNS, corner_lift, inner_brow_height, lasting_expression
from stylehead.face.performance import BLINK, recover_performance
from stylehead.finetuning.speech import NEUTRAL_SPEECH, EncodedSpeech, encode_speech
from stylehead.media.audio import open_audio
from stylehead.media.image import read_image
from stylehead.motion.generate import predict_motion
from stylehead.motion.models import Networks
from stylehead.options import DEFAULT_STYLE, Encoding
from stylehead.pipeline.clip_sound import said_with
from stylehead.pipeline.run import load_predictor
from stylehead.rendering.mesh_renderer import load_mouth_networks, prepare, render
from stylehead.style.file import find_style
from stylehead.style.learn import STYLE_FPS, learn_style, style_statistics
from stylehead.style.mix import as_mix
from stylehead.tracking.portrait import find_portrait
from stylehead.training.data.clips import PEOPLE, Clip, load_clip
from stylehead.types import FaceTrack, Floats, Motion, Style
from stylehead.weights.networks import CPU
from stylehead.weights.store import asset

MEASURES = ("corners over the lips", "mouth width", "brow height", "inner brows", "eye opening")
SCORES = {
    "smile": (44, 45),
    "frown": (30, 31),
    "brows down": (1, 2),
    "brows up": (3, 4, 5),
    "squint": (19, 20),
}
PICTURES, CROP = Fraction(25), 320
SECONDS = 3.0  # of the neutral speech
EMOTIONS = ("08", "05")  # surprised, angry


def mean_face(points: Floats, neutral: Floats, lids: Floats) -> Floats:
    """Return MEASURES, means over the frames of points (T, 68, 3) that are not in a blink."""
    points = points[lids < BLINK]
    opening = mouth_opening(points) - mouth_opening(neutral)
    shut = points - opening[:, None, None] * usual_way()
    found = [corner_lift(shut), mouth_width(shut), brow_height(shut), inner_brow_height(shut)]
    return np.array([one.mean() for one in (*found, eye_aspect(points))])


def of_motion(motion: Motion) -> Floats:
    """Return MEASURES of a motion on its neutral face."""
    return mean_face(motion.landmarks + motion.neutral, motion.neutral, motion.blink)


def of_track(track: FaceTrack) -> tuple[Floats, Floats]:
    """Return MEASURES (5,) of a track in head space, and the means of SCORES."""
    motion = recover_performance(track).motion(STYLE_FPS)[0]
    scores = track.expression[track.found].mean(0)
    return of_motion(motion), np.array([scores[list(one)].mean() for one in SCORES.values()])


class Stage:
    """Portraits, a speech, and what makes them move."""

    def __init__(self, portraits: list[Path], run: Path) -> None:
        predictor = load_predictor(Encoding(), CPU)
        sound = open_audio(asset(NEUTRAL_SPEECH), duration=SECONDS)
        self.speech: EncodedSpeech = encode_speech(sound, predictor.listener)
        self.networks: Networks = predictor.networks
        self.portraits, self.run = portraits, run
        self._mouths = load_mouth_networks(CPU)
        run.mkdir(parents=True, exist_ok=True)
        self._usual = [self.seen(find_style(DEFAULT_STYLE), "plain", path) for path in portraits]

    def motion(self, style: Style) -> Motion:
        """Return the speech in a style."""
        return predict_motion(self.speech.replay(), as_mix(style), self.networks, fps=PICTURES)

    def pictured(self, style: Style, name: str) -> Floats:
        """Return MEASURES and SCORES of the pictures less those of the style plain: (10,)."""
        pairs = zip(self.portraits, self._usual, strict=True)
        return np.mean([self.seen(style, name, path) - usual for path, usual in pairs], 0)

    def seen(self, style: Style, name: str, picture: Path) -> Floats:
        """Return MEASURES and SCORES of the rendered and tracked speech, from RUN if there."""
        path = self.run / f"{name}, {picture.stem}.npy"
        if not path.is_file():
            portrait = find_portrait(read_image(picture), name=str(picture))
            scene = prepare(portrait, style.references, self._mouths, crop_size=CROP, device=CPU)
            track = tracked(render(scene, self.motion(style)), PICTURES)
            np.save(path, np.concatenate(of_pictures(track, to_68(scene.mesh.neutral))))
        return np.load(path)


def of_pictures(track: FaceTrack, neutral: Floats) -> tuple[Floats, Floats]:
    """Return MEASURES and SCORES of a portrait whose neutral face (68, 3) is known."""
    rigid = list(RIGID)
    rows = track.found
    points = to_68(track.mesh[rows])
    placed = np.stack([align(neutral[rigid], face[rigid]).undo(face) for face in points])
    scores = track.expression[rows]
    lids = (scores[:, 9:11].mean(1) > 0.5).astype(np.float32)
    means = [scores[:, list(one)].mean() for one in SCORES.values()]
    return mean_face(placed, neutral, lids), np.array(means)


# ---- clips --------------------------------------------------------------------------------------


def clip_style(clip: Clip) -> Style:
    """Return the style of a whole clip, its gestures chosen by how the mouth moves."""
    style = learn_style(clip.track, clip.name)[0]
    return said_with(style, style.times, np.zeros(0, np.float32), np.zeros(0, np.float32))


def print_arriving(clips: list[Clip], usual: Floats, stage: Stage) -> None:
    """Print MEASURES and SCORES of clips, of motions and of pictures."""
    rows = list[tuple[Floats, Floats, Floats]]()
    print("clip\tof\t" + "\t".join((*MEASURES, *SCORES)))
    for clip in clips:
        style = clip_style(clip)
        motion = stage.motion(style)
        asked = np.concatenate(of_track(clip.track)) - usual
        made = np.append(of_motion(motion) - of_motion(still(motion)), np.full(len(SCORES), np.nan))
        rows.append((asked, made, stage.pictured(style, clip.name)))
        for what, values in zip(("clip", "motion", "picture"), rows[-1], strict=True):
            cells = "\t".join("" if np.isnan(value) else f"{value:.3f}" for value in values)
            print(f"{clip.name}\t{what}\t{cells}", flush=True)
    print_slopes(np.array(rows), (*MEASURES, *SCORES))


def still(motion: Motion) -> Motion:
    """Return a motion that stays in its neutral face."""
    return motion.with_(landmarks=0 * motion.landmarks)


def print_slopes(rows: Floats, names: tuple[str, ...]) -> None:
    """Print r and slope of motion and picture against the clip: rows (C, 3, M)."""
    print("measure\tmotion: slope\tr\tpicture: slope\tr")
    for number, name in enumerate(names):
        cells = list[str]()
        for made in (1, 2):
            x, y = rows[:, 0, number], rows[:, made, number]
            if np.isnan(y).any():
                cells += ["", ""]
                continue
            cells += [f"{np.polyfit(x, y, 1)[0]:.2f}", f"{np.corrcoef(x, y)[0, 1]:.2f}"]
        print("\t".join((name, *cells)))


def print_usual(clips: list[Clip]) -> None:
    """Print SIGNS of calm faces: median and spread of scores and of shapes."""
    calm = [recover_performance(clip.track) for clip in clips]
    print("sign\tscores: median\tspread\tshape: median\tspread")
    for name, sign in SIGNS.items():
        said = [one.neutral_scores[list(sign.scores)].mean() for one in calm]
        shape = [float(sign.measure(to_68(one.neutral))) for one in calm]
        numbers = (np.median(said), np.std(said), np.median(shape), np.std(shape))
        print("\t".join((name, *(f"{number:.3f}" for number in numbers))))


def print_lasting(clips: Iterable[Clip]) -> None:
    """Print how the lasting expression of clips follows how their people differ between clips."""
    people: dict[str, list[tuple[Floats, Floats]]] = {}
    for clip in clips:
        calm = recover_performance(clip.track)
        neutral = to_68(calm.neutral)
        worn = lasting_expression(neutral, calm.neutral_scores, FaceModel.embedded())
        shapes = [mean_face(face[None], face, np.zeros(1)) for face in (neutral, neutral + worn)]
        people.setdefault(clip.person, []).append((shapes[0], shapes[1] - shapes[0]))
    several = [np.array(found) for found in people.values() if len(found) > 1]
    own, worn = np.concatenate([found - found.mean(0) for found in several]).swapaxes(0, 1)
    print(f"{len(own)} clips of {len(several)} people")
    print("measure\tr\town by what is found")
    for number, name in enumerate(MEASURES[:-1]):
        x, y = own[:, number], worn[:, number]
        print(f"{name}\t{np.corrcoef(x, y)[0, 1]:.2f}\t{x @ y / (y @ y):.2f}")


def longest(clips: Iterable[Clip]) -> list[Clip]:
    """Return the longest clip of each person."""
    found: dict[str, Clip] = {}
    for clip in sorted(clips, key=lambda clip: -len(clip.track.seconds)):
        found.setdefault(clip.person, clip)
    return list(found.values())


# ---- actors -------------------------------------------------------------------------------------


def print_actors(folder: Path, stage: Stage) -> None:
    """Print how much of surprised less angry arrives, over actors."""
    rows = list[tuple[Floats, Floats, Floats]]()
    for actor in sorted({path.stem.split("-")[-1] for path in folder.glob("*.npz")}):
        points = [acted(folder, emotion, actor) for emotion in EMOTIONS]
        offsets, neutral = frontal_motion(np.concatenate(points))
        offsets -= offsets.mean(0)
        neutral = neutral + offsets.mean(0)
        shared = np.split(offsets, [len(points[0])])
        clips = [actor_motion(part, neutral) for part in shared]
        styles = [actor_style(clip) for clip in clips]
        names = [f"actor {actor}, {emotion}" for emotion in EMOTIONS]
        asked, made = (
            np.subtract(*(of_motion(one) for one in motions))
            for motions in (clips, [stage.motion(style) for style in styles])
        )
        seen = [
            stage.pictured(style, name)[: len(MEASURES)]
            for style, name in zip(styles, names, strict=True)
        ]
        rows.append((asked, made, seen[0] - seen[1]))
        for what, values in zip(("clip", "motion", "picture"), rows[-1], strict=True):
            cells = "\t".join(f"{value:.3f}" for value in values)
            print(f"actor {actor}\t{what}\t{cells}", flush=True)
    print_slopes(np.array(rows), MEASURES)


def acted(folder: Path, emotion: str, actor: str) -> Floats:
    """Return the landmarks (T, 68, 3) of everything an actor says in an emotion."""
    paths = sorted(folder.glob(f"01-{emotion}-*-{actor}.npz")) or sorted(
        folder.glob(f"*-{emotion}-*-{actor}.npz")
    )
    return np.concatenate([np.load(path)["landmarks_mm"] for path in paths])


def actor_motion(offsets: Floats, neutral: Floats) -> Motion:
    """Return offsets (T, 68, 3) as a motion with a still head."""
    count = len(offsets)
    return Motion(
        offsets.astype(np.float32),
        np.tile(np.eye(3, dtype=np.float32), (count, 1, 1)),
        np.zeros((count, 3), np.float32),
        np.zeros(count, np.float32),
        STYLE_FPS,
        neutral.astype(np.float32),
        np.zeros((count, 2), np.float32),
    )


def actor_style(motion: Motion) -> Style:
    """Return a style that moves as an actor does and has a built-in one's references."""
    plain = find_style(DEFAULT_STYLE)
    times = np.arange(len(motion), dtype=np.float32) / float(STYLE_FPS)
    style = Style("actor", plain.references, motion, times, style_statistics(motion), {})
    return said_with(style, times, np.zeros(0, np.float32), np.zeros(0, np.float32))


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("usual", "lasting", "arrive", "actors"))
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--portrait", type=Path, nargs="+", default=[])
    parser.add_argument("--run", type=Path)
    parser.add_argument("--clip", nargs="+", default=[])
    asked = parser.parse_args()
    if asked.what == "actors":
        print_actors(asked.folders[0], Stage(asked.portrait, asked.run))
        return
    paths = [path for folder in asked.folders for path in sorted(folder.glob("*.npz"))]
    clips = [load_clip(path) for path in paths]
    clips = [clip for clip in clips if clip.track.found.sum() > 2 * float(STYLE_FPS)]
    known = longest(clip for clip in clips if clip.person not in PEOPLE)
    if asked.what == "usual":
        print_usual(known)
        return
    if asked.what == "lasting":
        print_lasting(clip for clip in clips if clip.person not in PEOPLE)
        return
    usual = np.median([np.concatenate(of_track(clip.track)) for clip in known], 0)
    words = asked.clip
    chosen = [clip for clip in clips if any(word in clip.name for word in words)]
    unknown = longest(clip for clip in clips if clip.person in PEOPLE)
    print_arriving(chosen if words else unknown, usual, Stage(asked.portrait, asked.run))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
