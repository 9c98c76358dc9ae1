"""Does tuning bring motion nearer to a style than statistics do? On people not learned from.

    python benchmarks/transfer.py --data DATA --speech SPEECH.wav --run RUN [--clip NAME]...

DATA is what `stylehead prepare` made of the clips; SPEECH is neutral speech that no tuning heard;
finished rows stay in RUN, so that the benchmark can be made in pieces and goes on where it
stopped. New weights of the motion generator make it begin again. Prints tables: every clip, means,
ablations, the sweep of strength, each against the clip's held-out end.
"""

from __future__ import annotations

import argparse
import json
import wave
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from stylehead.finetuning.holdout import HoldoutTest, Row, distance_ratio, style_distances
from stylehead.finetuning.run import NEUTRAL_SPEECH, REPLAY_SECONDS, tune
from stylehead.finetuning.target_clip import TargetClip, learn_target_clip
from stylehead.finetuning.transfer import TransferConfig
from stylehead.media.audio import Sound, open_audio
from stylehead.media.image import write_image
from stylehead.models.adapter import Adapter
from stylehead.motion.models import generator_digest, tuning_of
from stylehead.options import Encoder, Encoding
from stylehead.pipeline import Predictor, load_predictor
from stylehead.speech.listen import speech_features
from stylehead.style.file import load_style, save_style
from stylehead.style.learn import STYLE_FPS
from stylehead.style.mix import as_mix
from stylehead.style.sheet import ACCENT, INK, PAPER, write
from stylehead.training.data.clips import load_clip
from stylehead.types import SPEECH_RATE, Style, Tuning

CLIPS = {
    "DFRF__french.mp4": "expressive brows, French",
    "testvideos__iilegal_drug_policy_video1.mp4": "news, head moving",
    "DiffDub__RD_Radio22_000_25fps__GTcrop.mp4": "smiling address",
    "DiffDub__WRA_PeterRoskam0_000_25fps__GTcrop.mp4": "address",
    "SadTalker__WDA_BobMenendez_000.mp4": "stern address, brows",
    "MegaPortrait-hack__-2KGPYEFnsU_11.mp4": "head thrown about",
    "styletalk__andrew_clip_1.mp4": "calm lecture",
    "styletalk__KristiNoem.mp4": "address",
    "ACTalker__video.mp4": "broad grimaces, silent",
    "PersonaLive__driving_video.mp4": "lively talk, silent",
    "DH_live__01.mp4": "very calm, silent",
    "LIA-X__driving7.mp4": "smiling, head moving, silent",
    "styletalk__happyenglish_clip2.mp4": "very animated, silent",
    "styletalk__sadfather_clip1.mp4": "sad, silent",
    "MagicPortrait__driving.mp4": "brows, head turning, silent",
}
"""Held-out people (`training/held_out.py`) of 7 s and more, and silent clips, which no motion was
learned from; chosen for variety before anything was measured."""
LONGEST = 45.0  # seconds of a clip that are used
FULL = TransferConfig()
ABLATIONS = {
    "without L_r": replace(FULL, penalty=0.0),
    "without L_sc": replace(FULL, constraint=0.0),
    "without dynamics": replace(FULL, dynamics=0.0),
}
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


PERSON = "the person, learned part"
HELD_OUT, LEARNED = "held-out part", "learned part"


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What all clips share."""

    models: Predictor
    replay: list[torch.Tensor]
    judged: Sound
    """Neutral speech that decides which change is kept."""
    speech: Sound
    """Neutral speech that the tables are made of."""
    data: Path
    run: Path

    def singer(self, name: str) -> TargetClip:
        """Return a clip, split; its sound as a file of its own."""
        clip = load_clip(self.data / "clips" / f"{name}.npz")
        rows = np.flatnonzero(clip.track.seconds <= clip.track.seconds[0] + LONGEST)
        track = replace(
            clip.track,
            **{
                field: getattr(clip.track, field)[rows]
                for field in ("mesh", "expression", "sharpness", "seconds", "cuts")
            },
        )
        sound = None
        if len(clip.samples):
            path = self.run / f"{name}.wav"
            write_wav(path, clip.samples[: int(LONGEST * SPEECH_RATE)])
            sound = open_audio(path)
        return learn_target_clip(track, sound, self.models, name, name)

    def tuned(self, singer: TargetClip, how: TransferConfig) -> Style:
        """Return the singer's style, tuned."""
        holdout = HoldoutTest(self.models, self.judged, [singer.held_out], None)
        takes = [] if singer.take is None else [singer.take]
        return tune(singer.style, takes, self.replay, holdout, how, None)

    def holdout(self, singer: TargetClip) -> HoldoutTest:
        """Return what the tables judge by."""
        return HoldoutTest(self.models, self.speech, [singer.held_out], singer.held_sound)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--clip", action="append", help="only these", choices=list(CLIPS))
    parser.add_argument("--table-only", action="store_true", help="no ablations, no sweep")
    asked = parser.parse_args()
    models = load_predictor(Encoding(encoder=Encoder.WHISPER), torch.device("cpu"))
    asked.run.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        models,
        [speech_features(open_audio(NEUTRAL_SPEECH, duration=REPLAY_SECONDS), models.listener)],
        open_audio(NEUTRAL_SPEECH, start=REPLAY_SECONDS),
        open_audio(asked.speech),
        asked.data,
        asked.run,
    )
    found = {name: rows_of(bench, name, not asked.table_only) for name in asked.clip or CLIPS}
    clip_table(found)
    mean_table(found)
    first = f"strength {STRENGTHS[0]}, {LEARNED}"
    swept = [rows for rows in found.values() if first in rows]
    for against in (LEARNED, HELD_OUT) if swept else ():
        sweep_table(swept, against, asked.run / f"strength, {against}.png")


def rows_of(bench: Bench, name: str, more: bool) -> dict[str, dict[str, float]]:
    """Return the rows of one clip, from RUN where they are finished."""
    path = bench.run / f"{name}.json"
    key = {"generator": generator_digest(bench.models.encoder), "settings": asdict(FULL)}
    kept = json.loads(path.read_text()) if path.is_file() else {}
    rows = kept.get("rows", {}) if kept.get("key") == key else {}
    wanted = {"tuned": FULL, **(ABLATIONS if more else {})}
    tuned_file = bench.run / f"{name}.style"
    swept = not more or f"strength {STRENGTHS[0]}, {LEARNED}" in rows
    again = not swept and not tuned_file.is_file()
    missing = [row for row in wanted if row not in rows or (again and row == "tuned")]
    if swept and not missing:
        return rows
    singer = bench.singer(name)
    holdout = bench.holdout(singer)
    usual = holdout.moved(None, bench.speech)
    if "un-tuned" not in rows:
        add = {"un-tuned": holdout.row(usual, usual, None)}
        add["statistics"] = holdout.row(
            holdout.moved(singer.style, bench.speech), usual, singer.style
        )
        add[PERSON] = person_row(singer)
        rows |= {row: asdict(value) for row, value in add.items()}
    if more and "expression alone" not in rows:
        alone = replace(singer.style, tuning=no_tuning(bench.models))
        row = holdout.row(holdout.moved(alone, bench.speech), usual, alone)
        rows["expression alone"] = asdict(row)

    def keep() -> None:
        path.write_text(json.dumps({"key": key, "rows": rows, "notes": singer.notes}, indent=1))

    for row in missing:
        style = bench.tuned(singer, wanted[row])
        rows[row] = asdict(holdout.row(holdout.moved(style, bench.speech), usual, style))
        if row == "tuned":
            save_style(style, tuned_file)
        keep()
        print(f"{name}: {row}", flush=True)
    if not swept:
        style = load_style(tuned_file)
        home = replace(holdout, held_out=[singer.style.motion], held_sound=None)
        for strength in STRENGTHS:
            blend = as_mix(style, strength=strength)
            made = bench.models.predict(bench.speech, blend, fps=STYLE_FPS)
            for against, validate in ((HELD_OUT, holdout), (LEARNED, home)):
                rows[f"strength {strength}, {against}"] = asdict(validate.row(made, usual, None))
        keep()
    return rows


def person_row(singer: TargetClip) -> Row:
    """Return the distances of the person's own earlier motion: as near as a style can come."""
    flat = style_distances(singer.held_out, singer.style.motion)
    posed = style_distances(singer.held_out, singer.style.motion, posed=True)
    return Row(flat.sld, flat.slv, flat.smd, posed.sld, posed.slv, *[float("nan")] * 5)


def no_tuning(models: Predictor) -> Tuning:
    """Return a change that changes nothing: the style's expression beside un-tuned lips."""
    return tuning_of(
        Adapter(models.networks.generator), models.encoder, generator_digest(models.encoder)
    )


def write_wav(path: Path, samples: NDArray[np.int16]) -> None:
    """Write samples at SPEECH_RATE."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SPEECH_RATE)
        file.writeframes(samples.tobytes())


# ---- tables ---------------------------------------------------------------------------------

Rows = dict[str, dict[str, float]]
DISTANCES = ("sld", "slv", "smd")


def clip_table(found: dict[str, Rows]) -> None:
    """Print every clip: un-tuned, statistics, tuned, the person's own; and what lips keep."""
    print("\nclip\tSLD\tSLV\tSMD\tsync\topening\tLMD")
    shown = ("un-tuned", "statistics", "tuned", PERSON)
    for name, rows in found.items():
        cells = [" / ".join(f"{rows[row][one]:.3g}" for row in shown) for one in DISTANCES]
        tuned = rows["tuned"]
        cells += [f"{tuned['sync']:.2f}", f"{tuned['style_opening']:.2f}"]
        cells.append(" / ".join(f"{rows[row]['lmd']:.2f}" for row in shown[:3]))
        print("\t".join((f"{name.split('.')[0]} ({CLIPS[name]})", *cells)))
    print(f"distances: {' / '.join(shown)}; sync against un-tuned; opening: spread over the clip's")


def mean_table(found: dict[str, Rows]) -> None:
    """Print means over clips, and what is left of the un-tuned distances."""
    print("\nrow\tSLD\tSLV\tSMD\tleft of SLD\tSLV\tSMD\tposed SLD\tSLV\tnearer clips\tsync\tLMD")
    for row in dict.fromkeys(name for rows in found.values() for name in rows):
        having = [rows for rows in found.values() if row in rows]
        if not row.startswith("strength"):
            print("\t".join((f"{row} ({len(having)} clips)", *means(having, row))))


def means(clips: list[Rows], row: str) -> list[str]:
    """Return the cells of one row of the table of means."""

    def mean(field: str, of: str = row) -> float:
        return float(np.nanmean([one[of][field] for one in clips]))

    def left(field: str) -> float:
        return mean(field) / mean(field, "un-tuned")

    cells = [f"{mean(field):.3g}" for field in DISTANCES]
    cells += [f"{left(field):.2f}" for field in (*DISTANCES, "posed_sld", "posed_slv")]
    nearer_clips = sum(distance_ratio(Row(**one["un-tuned"]), Row(**one[row])) < 1 for one in clips)
    cells.append(f"{nearer_clips} of {len(clips)}")
    sung = [one for one in clips if not np.isnan(one["tuned"]["lmd"])]
    known = row != PERSON
    cells.append(f"{mean('sync'):.3f}" if known else "")
    cells.append(f"{np.mean([one[row]['lmd'] for one in sung]):.3f}" if known and sung else "")
    return cells


def sweep_table(swept: list[Rows], against: str, picture: Path) -> None:
    """Print and draw the mean distance left at each strength, and in how many clips it falls."""
    print(f"\nstrength, {against}\tleft of SLD\tSLV\tSMD\tmean")
    found = np.array(
        [
            [
                [rows[f"strength {one}, {against}"][field] for field in DISTANCES]
                for one in STRENGTHS
            ]
            for rows in swept
        ]
    )
    curves = found / found[:, :1]
    for number, strength in enumerate(STRENGTHS):
        cells = [f"{value:.3f}" for value in (*curves[:, number].mean(0), curves[:, number].mean())]
        print("\t".join((f"{strength:g}", *cells)))
    draw_sweep(curves.mean(0), picture)
    upto = curves[:, : STRENGTHS.index(1.0) + 1]
    for field, values in (("SLD", upto[..., 0]), ("mean of three", upto.mean(-1))):
        falls = int(np.all(np.diff(values, axis=1) < 0, axis=1).sum())
        print(f"{field} falls at every step up to 1 in {falls} of {len(swept)} clips")


def draw_sweep(means: NDArray[np.float64], picture: Path) -> None:
    """Draw the distances left (S, 3) over the strengths, and their mean in the accent's colour."""
    canvas = np.full((360, 560, 3), PAPER, np.uint8)
    lines = {**dict(zip(DISTANCES, means.T, strict=True)), "mean": means.mean(1)}
    low, high = float(means.min()), float(means.max())
    for number, (name, values) in enumerate(lines.items()):
        colour = ACCENT if name == "mean" else (150 - 50 * number, 140, 90 + 60 * number)
        x = 50 + np.array(STRENGTHS) / STRENGTHS[-1] * 480
        y = 310 - (values - low) / (high - low) * 250
        points = np.stack([x, y], -1).round().astype(np.int32)
        cv2.polylines(canvas, [points], False, colour, 2, cv2.LINE_AA)
        write(canvas, name.upper(), (60 + 110 * number, 24), colour, 0.5)
    for strength in STRENGTHS:
        write(canvas, f"{strength:g}", (40 + round(strength / STRENGTHS[-1] * 480), 340), INK, 0.4)
    write(canvas, f"{high:.2f}", (4, 66), INK, 0.4)
    write(canvas, f"{low:.2f}", (4, 314), INK, 0.4)
    write_image(picture, canvas)


if __name__ == "__main__":
    main()
