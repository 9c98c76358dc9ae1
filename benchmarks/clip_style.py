"""Does a clip's style come nearer by the transfer than by its ranges alone?

    python benchmarks/clip_style.py FOLDER... [--steps 100]

FOLDERs hold clips as `stylehead prepare` tracked them. Each clip of people that no stage was
trained on, with nine seconds of its own sound in sync, is learned up to its last 30 %, which is
held out. Printed for each: style distances and LMD to that part of the un-tuned generator, of
ranges alone, of the closed form and of the tuned style; then means with half of a 95 % bootstrap
interval, and in how many clips each is nearer than ranges.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from stylehead.errors import StyleheadError
from stylehead.evaluation.measures import mean_with_interval
from stylehead.finetuning.calibration import calibrate
from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.holdout import HoldoutScores, HoldoutTest
from stylehead.finetuning.run import tune
from stylehead.finetuning.speech import encode_speech, replayed_speech, unheard_speech
from stylehead.finetuning.target_clip import TargetClip, learn_target_clip
from stylehead.media.audio import open_audio
from stylehead.models.adapter import Adapter
from stylehead.motion.models import generator_digest, tuning_of
from stylehead.options import Encoding
from stylehead.pipeline.run import Predictor, load_predictor
from stylehead.training.data.clips import PEOPLE, Clip, load_clips
from stylehead.types import SPEECH_RATE, Style

LEAST_SECONDS = 9
WAYS = ("un-tuned", "ranges", "closed form", "tuned")
COLUMNS = ("sld", "slv", "smd", "posed_sld", "lmd", "sync")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=100)
    asked = parser.parse_args()
    predictor = load_predictor(Encoding(), torch.device("cpu"))
    neutral = encode_speech(unheard_speech(), predictor.listener)
    replay = [encode_speech(replayed_speech(), predictor.listener).features]
    found: dict[str, list[HoldoutScores]] = {way: [] for way in WAYS}
    print("\t".join(("clip", "way", *COLUMNS)))
    with tempfile.TemporaryDirectory() as folder:
        for clip in (clip for place in asked.folders for clip in load_clips(place)):
            target = target_of(clip, predictor, Path(folder))
            if target is None or target.aligned is None:
                continue
            sound = target.held_out_sound
            test = HoldoutTest(
                networks=predictor.networks,
                speech=neutral,
                held_out=[target.held_out],
                own_speech=encode_speech(sound, predictor.listener) if sound else None,
            )
            config = TransferConfig(steps=asked.steps)
            styles = {
                "un-tuned": None,
                "ranges": target.style,
                "closed form": closed_form(target, predictor),
                "tuned": tune(target.style, [target.aligned], replay, test, config),
            }
            untuned = test.predict(None, neutral)
            for way, style in styles.items():
                motion = test.predict(style, neutral)
                scores = test.score(motion, untuned, style)
                found[way].append(scores)
                cells = (f"{getattr(scores, column):.3f}" for column in COLUMNS)
                print("\t".join((clip.name, way, *cells)), flush=True)
    print(f"\nmeans of {len(found['tuned'])} clips\n" + "\t".join(("way", *COLUMNS)))
    for way, rows in found.items():
        cells = [mean_with_interval(np.array(values(rows, column))) for column in COLUMNS]
        print("\t".join((way, *(str(cell) for cell in cells))))
    print("\nclips, % of all, in which it is nearer than ranges")
    for way in WAYS[2:]:
        cells = [
            100 * np.mean(np.less(values(found[way], column), values(found["ranges"], column)))
            for column in COLUMNS
        ]
        print("\t".join((way, *(f"{cell:.0f}" for cell in cells))))


def values(rows: list[HoldoutScores], column: str) -> list[float]:
    """Return one measure of all clips that have it."""
    return [value for value in (getattr(row, column) for row in rows) if not np.isnan(value)]


def target_of(clip: Clip, predictor: Predictor, folder: Path) -> TargetClip | None:
    """Return a clip of somebody held out, split; None for one that this is not about."""
    if clip.person not in PEOPLE or len(clip.samples) < LEAST_SECONDS * SPEECH_RATE:
        return None
    path = folder / f"{clip.name}.wav"
    soundfile.write(path, clip.samples, SPEECH_RATE)
    try:
        return learn_target_clip(clip.track, open_audio(path), predictor, clip.name, clip.name)
    except StyleheadError as error:
        print(f"left out: {clip.name}: {error}")
        return None


def closed_form(target: TargetClip, predictor: Predictor) -> Style:
    """Return the style with the closed form alone."""
    assert target.aligned is not None  # asked of such clips alone
    adapter = Adapter(predictor.networks.generator)
    adapter.start_from(*calibrate(predictor.networks.generator, [target.aligned]))
    encoder = predictor.encoder
    return replace(target.style, tuning=tuning_of(adapter, encoder, generator_digest(encoder)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
