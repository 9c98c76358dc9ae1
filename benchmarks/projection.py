"""Does the manifold projection help? Strengths against each other, on people no stage has seen.

    python benchmarks/projection.py DATA [--table TABLE] [--people all|held-out] [--encoder apc]
    python benchmarks/projection.py DATA --own [--clips 8]

DATA is what `stylehead prepare` made of clips, with sync measured by `stylehead train motion` or
found here against the un-projected prediction. TABLE is the clips' own, with `kind` and `language`:
rows are then split into speech in English, in other languages, and song. `--own` tunes each clip
to the person's own sounds instead, as `finetune-style --projection` does, and judges the held-out
end by LMD. Means over people with half of a 95 % bootstrap interval.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from motion import FPS, NEAR, mean_of, shown, sound_of, validate

from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.holdout import HoldoutTest
from stylehead.finetuning.run import tune
from stylehead.finetuning.speech import (
    encode_speech,
    learn_own_voice,
    replayed_speech,
    unheard_speech,
)
from stylehead.finetuning.target_clip import learn_target_clip
from stylehead.options import Encoder, Encoding
from stylehead.pipeline.run import Predictor, load_predictor
from stylehead.training.av_sync import LARGEST_LAG, has_clear_sync, measure_sync
from stylehead.training.data.clips import PEOPLE, Clip, load_clips
from stylehead.training.data.speakers import AlignedFeatures, Speaker, load_speakers
from stylehead.types import SPEECH_RATE, Floats
from stylehead.weights.networks import CPU

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
OWN_STRENGTHS = (0.0, 0.25, 0.5)
COLUMNS = {"opening r": 0, "LMD": 2}
"""Name -> its place in what `validate` returns."""
LONGEST = 30.0  # seconds of a clip with --own


def main() -> None:
    """Print the table asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--people", choices=("all", "held-out"), default="held-out")
    parser.add_argument("--encoder", type=Encoder, default=Encoder.WHISPER)
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--clips", type=int, default=8, help="with --own: so many, the longest")
    asked = parser.parse_args()
    clips = [
        clip
        for clip in load_clips(asked.data / "clips")
        if asked.people == "all" or clip.person in PEOPLE
    ]
    if asked.own:
        own_voice_table(clips, asked.encoder, asked.clips)
    else:
        many_voices_table(clips, asked.encoder, groups_of(asked.table))


def groups_of(table: Path | None) -> dict[str, str]:
    """Return file name -> the row it is counted in, from a table of clips."""
    if table is None:
        return {}
    groups: dict[str, str] = {}
    with table.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            english = row.get("language", "en").startswith("en")
            spoken = "speech, English" if english else "speech, other languages"
            groups[row["file"]] = "song" if row["kind"] == "song" else spoken
    return groups


def many_voices_table(clips: list[Clip], encoder: Encoder, groups: dict[str, str]) -> None:
    """Print each strength of the shipped base, one row for each group of clips."""
    predictors = {
        strength: load_predictor(Encoding(encoder=encoder, projection=strength), CPU)
        for strength in STRENGTHS
    }
    values: dict[str, dict[str, list[Floats]]] = {}
    for speaker in load_speakers(clips)[0]:
        found = judged(speaker, predictors)
        if found is None:
            continue
        for group in {"all", groups.get(speaker.name, "all")}:
            values.setdefault(group, {}).setdefault(speaker.person, []).append(found)
    print("\t".join(("clips", "measure", "people", *(f"{one:g}" for one in STRENGTHS))))
    for group, people in values.items():
        for column, place in COLUMNS.items():
            means = np.array([mean_of([clip[:, place].tolist() for clip in its])
                              for its in people.values()])  # fmt: skip
            row = (shown(means[:, index], 3) for index in range(len(STRENGTHS)))
            print("\t".join((f"{encoder.value}, {group}", column, str(len(people)), *row)))


def judged(speaker: Speaker, predictors: dict[float, Predictor]) -> Floats | None:
    """Return what `validate` says of each strength, (S, columns); None without clear sync."""
    plain = predictors[0.0]
    with sound_of(speaker.samples) as sound:
        features = torch.cat(list(plain.listener.encoder.encode([speaker.samples])))
        count = min(len(features), len(speaker.offsets))
        pair = AlignedFeatures(
            features[:count].half(), torch.from_numpy(speaker.offsets[:count]).float()
        )
        offset = measure_sync(plain.networks.generator, pair)
        if not has_clear_sync(offset) or abs(offset.frames) > LARGEST_LAG - NEAR:
            return None
        rows: list[list[float]] = []
        for predictor in predictors.values():
            unstyled = predictor.unstyled(sound, FPS)
            made = unstyled.landmarks[0]
            rows.append(validate(speaker, offset.frames, made, unstyled.voice))
    return np.array(rows)


def own_voice_table(clips: list[Clip], encoder: Encoder, wanted: int) -> None:
    """Print LMD on the held-out end and the lips' sync on neutral speech, one row a clip."""
    predictor = load_predictor(Encoding(encoder=encoder), CPU)
    replay = [encode_speech(replayed_speech(), predictor.listener).features]
    test = HoldoutTest(
        networks=predictor.networks,
        speech=encode_speech(unheard_speech(), predictor.listener),
        held_out=[],
    )
    columns = ("un-tuned", *(f"{one:g}" for one in OWN_STRENGTHS))
    print("\t".join(("clip: LMD / sync", *columns)))
    clips = sorted(clips, key=lambda clip: -len(clip.samples))
    done: set[str] = set()
    for clip in clips:
        if len(done) == wanted or clip.person in done or not len(clip.samples):
            continue
        track = clip.track[clip.track.seconds <= clip.track.seconds[0] + LONGEST]
        samples = clip.samples[: int(LONGEST * SPEECH_RATE)].astype(np.float32) / 32767
        with sound_of(samples) as sound:
            target = learn_target_clip(track, sound, predictor, clip.name, clip.name)
            if target.aligned is None or target.held_out_sound is None:
                continue
            own = encode_speech(target.held_out_sound, predictor.listener)
        done.add(clip.person)
        judge = replace(test, held_out=[target.held_out], own_speech=own)
        plain = judge.predict(None, judge.speech)
        scores = [judge.score(plain, plain, None)]
        for strength in OWN_STRENGTHS:
            voice = learn_own_voice([target.aligned], strength)
            style = tune(
                target.style, [target.aligned], replay, test, TransferConfig(), own_voice=voice
            )
            motion = judge.predict(style, judge.speech)
            scores.append(judge.score(motion, plain, style))
        cells = (f"{score.lmd:.3f} / {score.sync:.2f}" for score in scores)
        print("\t".join((clip.name, *cells)), flush=True)


if __name__ == "__main__":
    main()
