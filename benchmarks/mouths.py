"""Do mouths keep to what faces can do, and what does that cost?

    python benchmarks/mouths.py FOLDER... --run RUN

FOLDERs hold clips as `stylehead prepare` tracked them, RUN the styles that `recognition.py` learned
from their first halves. Each speaks the sound of its second half, with `--shapes 0` and as it is by
default, and the same motions with twice the expression. Prints means over clips: frames with a
mouth beyond what was filmed, least and most width against the neutral one, correlation of the
opening with the un-tuned generator's, and against the second half LMD, SLD and the distance of the
mouth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from stylehead.evaluation.distances import motion_distance, movement_of
from stylehead.evaluation.metrics import lmd
from stylehead.evaluation.ravdess import FACE_WIDTH
from stylehead.face.face_model import generic_neutral
from stylehead.face.landmarks import mouth_opening, mouth_width
from stylehead.face.performance import recover_performance
from stylehead.face.shapes import POINTS, FaceShapes, measures
from stylehead.finetuning.holdout import style_distances, unstyled_motion
from stylehead.finetuning.speech import encode_speech
from stylehead.media.audio import open_audio
from stylehead.motion.finishing import adjust
from stylehead.motion.generate import predict_motion
from stylehead.motion.stream import generate
from stylehead.options import Encoding, MotionControls
from stylehead.pipeline.run import Predictor, load_predictor
from stylehead.style.file import load_style
from stylehead.style.learn import STYLE_FPS
from stylehead.style.mix import as_mix
from stylehead.training.data.clips import Clip, load_clip
from stylehead.types import SPEECH_RATE, Floats, Motion, Style
from stylehead.weights.networks import CPU

SECONDS = 6.0  # of the second half
ROOM = 0.01  # of a limit's way that does not count as beyond it
COLUMNS = ("beyond, %", "least width", "most width", "r", "LMD", "SLD", "mouth's distance")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--run", type=Path, required=True)
    asked = parser.parse_args()
    predictor = load_predictor(Encoding(), CPU)
    rows: dict[str, list[list[float]]] = {}
    for folder in asked.folders:
        for path in sorted(asked.run.glob("*.style")):
            if (clip := folder / f"{path.stem}.npz").is_file():
                for way, values in measured(
                    load_clip(clip), load_style(path), predictor, asked.run
                ):
                    rows.setdefault(way, []).append(values)
                print(f"measured {path.stem}", flush=True)
    print("\t".join(("way", *COLUMNS)))
    for way, values in rows.items():
        print("\t".join((way, *(f"{value:.3f}" for value in np.nanmean(values, 0)))))


def measured(
    clip: Clip, style: Style, predictor: Predictor, run: Path
) -> Iterator[tuple[str, list[float]]]:
    """Yield each way of moving, and its columns."""
    seconds = clip.track.seconds
    middle = float(seconds[0] + seconds[-1]) / 2
    half = clip.track[(seconds >= middle) & (seconds < middle + SECONDS)]
    target = recover_performance(half).motion(STYLE_FPS)[0]
    path = run / "second half.wav"
    samples = clip.samples[round(middle * SPEECH_RATE) :][: round(SECONDS * SPEECH_RATE)]
    soundfile.write(path, samples, SPEECH_RATE)
    speech = encode_speech(open_audio(path), predictor.listener)
    plain = generate(speech.replay(), [predictor.networks.generator], STYLE_FPS)
    untuned = unstyled_motion(plain.landmarks[0], STYLE_FPS)
    yield "un-tuned", columns(untuned, untuned, target)
    yield "filmed", columns(target, untuned, target)
    for name, used in (("ranges", replace(style, tuning=None)), ("transfer", style)):
        for shapes in (0.0, 1.0):
            motion = predict_motion(
                speech.replay(),
                as_mix(used),
                predictor.networks,
                fps=STYLE_FPS,
                controls=MotionControls(shapes=shapes),
            )
            twice = adjust(motion, MotionControls(expression=2.0, shapes=shapes))
            title = f"{name}, --shapes {shapes:.0f}"
            yield title, columns(motion, untuned, target)
            yield f"{title} --expression 2", columns(twice, untuned, target)


def columns(motion: Motion, untuned: Motion, target: Motion) -> list[float]:
    """Return COLUMNS of a motion, as long as all three last."""
    count = min(map(len, (motion, untuned, target)))
    motion, untuned, target = motion[:count], untuned[:count], target[:count]
    neutral = generic_neutral()
    width = mouth_width(motion.landmarks + neutral) - mouth_width(neutral)
    r = np.corrcoef(_opening(motion), _opening(untuned))[0, 1]
    scale = FACE_WIDTH / float(np.ptp(neutral[:, 0]))
    frames = (scale * (one.landmarks + neutral)[..., :2] for one in (target, motion))
    sld = style_distances(target, motion).sld
    apart = motion_distance(movement_of(target), movement_of(motion)).of("mouth")
    beyond = 100 * float(beyond_filmed(motion.landmarks).mean())
    return [beyond, width.min(), width.max(), float(r), lmd(*frames), sld, apart]


def _opening(motion: Motion) -> Floats:
    return mouth_opening(motion.landmarks + generic_neutral())


def beyond_filmed(landmarks: Floats) -> Floats:
    """Return in which frames (T,) a mouth goes beyond what was filmed."""
    found = measures(landmarks[:, POINTS])
    least, _, _, most = FaceShapes.embedded().limits.T
    room = ROOM * (most - least)
    return ((found < least - room) | (found > most + room)).any(1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
