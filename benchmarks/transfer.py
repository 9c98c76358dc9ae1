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

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.holdout import (
    HoldoutScores,
    HoldoutTest,
    distance_ratio,
    style_distances,
)
from stylehead.finetuning.run import tune
from stylehead.finetuning.speech import (
    EncodedSpeech,
    encode_speech,
    replayed_speech,
    unheard_speech,
)
from stylehead.finetuning.target_clip import TargetClip, learn_target_clip
from stylehead.media.audio import open_audio
from stylehead.models.adapter import Adapter
from stylehead.motion.models import generator_digest, tuning_of
from stylehead.options import Encoder, Encoding
from stylehead.pipeline.run import Predictor, load_predictor
from stylehead.style.file import load_style, save_style
from stylehead.style.mix import as_mix
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
"""Held-out people of 7 s and more, and silent clips, which no motion was
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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bench:
    """What all clips share."""

    predictor: Predictor
    replay: list[torch.Tensor]
    validation_speech: EncodedSpeech
    """Neutral speech that decides which change is kept."""
    speech: EncodedSpeech
    """Neutral speech that the tables are made of."""
    data: Path
    run: Path

    def target(self, name: str) -> TargetClip:
        """Return a clip, split; its sound as a file of its own."""
        clip = load_clip(self.data / "clips" / f"{name}.npz")
        track = clip.track[clip.track.seconds <= clip.track.seconds[0] + LONGEST]
        sound = None
        if len(clip.samples):
            path = self.run / f"{name}.wav"
            write_wav(path, clip.samples[: int(LONGEST * SPEECH_RATE)])
            sound = open_audio(path)
        return learn_target_clip(track, sound, self.predictor, name, name)

    def tuned(self, target: TargetClip, config: TransferConfig) -> Style:
        """Return the target's style, tuned."""
        test = HoldoutTest(
            networks=self.predictor.networks,
            speech=self.validation_speech,
            held_out=[target.held_out],
        )
        aligned = [] if target.aligned is None else [target.aligned]
        return tune(target.style, aligned, self.replay, test, config)

    def holdout(self, target: TargetClip) -> HoldoutTest:
        """Return the hold-out test of the tables."""
        own = target.held_out_sound if target.aligned else None
        return HoldoutTest(
            networks=self.predictor.networks,
            speech=self.speech,
            held_out=[target.held_out],
            own_speech=encode_speech(own, self.predictor.listener) if own else None,
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--clip", action="append", help="only these", choices=list(CLIPS))
    parser.add_argument("--table-only", action="store_true", help="no ablations, no sweep")
    arguments = parser.parse_args()
    predictor = load_predictor(Encoding(encoder=Encoder.WHISPER), torch.device("cpu"))
    arguments.run.mkdir(parents=True, exist_ok=True)
    listener = predictor.listener
    bench = Bench(
        predictor=predictor,
        replay=[encode_speech(replayed_speech(), listener).features],
        validation_speech=encode_speech(unheard_speech(), listener),
        speech=encode_speech(open_audio(arguments.speech), listener),
        data=arguments.data,
        run=arguments.run,
    )
    more = not arguments.table_only
    clips = {name: rows_of(bench, name, more) for name in arguments.clip or CLIPS}
    clip_table(clips)
    mean_table(clips)
    first = f"strength {STRENGTHS[0]}, {LEARNED}"
    swept = [rows for rows in clips.values() if first in rows]
    for against in (LEARNED, HELD_OUT) if swept else ():
        sweep_table(swept, against, arguments.run / f"strength, {against}.png")


def rows_of(bench: Bench, name: str, more: bool) -> dict[str, dict[str, float]]:
    """Return the rows of one clip, from RUN where they are finished."""
    path = bench.run / f"{name}.json"
    key = {"generator": generator_digest(bench.predictor.encoder), "settings": asdict(FULL)}
    kept = json.loads(path.read_text()) if path.is_file() else {}
    rows = kept.get("rows", {}) if kept.get("key") == key else {}
    wanted = {"tuned": FULL, **(ABLATIONS if more else {})}
    tuned_file = bench.run / f"{name}.style"
    swept = not more or f"strength {STRENGTHS[0]}, {LEARNED}" in rows
    again = not swept and not tuned_file.is_file()
    missing = [row for row in wanted if row not in rows or (again and row == "tuned")]
    if swept and not missing:
        return rows
    target = bench.target(name)
    test = bench.holdout(target)
    untuned = test.predict(None, bench.speech)

    def scores(style: Style) -> dict[str, float]:
        return asdict(test.score(test.predict(style, bench.speech), untuned, style))

    if "un-tuned" not in rows:
        rows["un-tuned"] = asdict(test.score(untuned, untuned, None))
        rows["statistics"] = scores(target.style)
        rows[PERSON] = asdict(person_scores(target))
    if more and "expression alone" not in rows:
        rows["expression alone"] = scores(replace(target.style, tuning=no_tuning(bench.predictor)))

    def keep() -> None:
        path.write_text(json.dumps({"key": key, "rows": rows, "notes": target.notes}, indent=1))

    for row in missing:
        style = bench.tuned(target, wanted[row])
        rows[row] = scores(style)
        if row == "tuned":
            save_style(style, tuned_file)
        keep()
        print(f"{name}: {row}", flush=True)
    if not swept:
        style = load_style(tuned_file)
        learned = replace(test, held_out=[target.style.motion], own_speech=None)
        for strength in STRENGTHS:
            motion = test.predict(as_mix(style, strength=strength), bench.speech)
            for against, part in ((HELD_OUT, test), (LEARNED, learned)):
                row = asdict(part.score(motion, untuned, None))
                rows[f"strength {strength}, {against}"] = row
        keep()
    return rows


def person_scores(target: TargetClip) -> HoldoutScores:
    """Return the distances of the person's own earlier motion: as near as a style can come."""
    distance = style_distances(target.held_out, target.style.motion)
    posed = style_distances(target.held_out, target.style.motion, posed=True)
    unknown = dict.fromkeys(("sync", "opening", "style_opening", "jerk", "lmd"), float("nan"))
    return HoldoutScores(
        sld=distance.sld,
        slv=distance.slv,
        smd=distance.smd,
        posed_sld=posed.sld,
        posed_slv=posed.slv,
        **unknown,
    )


def no_tuning(predictor: Predictor) -> Tuning:
    """Return a change that changes nothing: the style's expression beside un-tuned lips."""
    return tuning_of(
        Adapter(predictor.networks.generator),
        predictor.encoder,
        generator_digest(predictor.encoder),
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


def clip_table(clips: dict[str, Rows]) -> None:
    """Print every clip: un-tuned, statistics, tuned, the person's own; and what lips keep."""
    print("\nclip\tSLD\tSLV\tSMD\tsync\topening\tLMD")
    shown = ("un-tuned", "statistics", "tuned", PERSON)
    for name, rows in clips.items():
        cells = [" / ".join(f"{rows[row][field]:.3g}" for row in shown) for field in DISTANCES]
        tuned = rows["tuned"]
        cells += [f"{tuned['sync']:.2f}", f"{tuned['style_opening']:.2f}"]
        cells.append(" / ".join(f"{rows[row]['lmd']:.2f}" for row in shown[:3]))
        print("\t".join((f"{name.split('.')[0]} ({CLIPS[name]})", *cells)))
    print(f"distances: {' / '.join(shown)}; sync against un-tuned; opening: spread over the clip's")


def mean_table(clips: dict[str, Rows]) -> None:
    """Print means over clips, and what is left of the un-tuned distances."""
    print("\nrow\tSLD\tSLV\tSMD\tleft of SLD\tSLV\tSMD\tposed SLD\tSLV\tnearer clips\tsync\tLMD")
    for row in dict.fromkeys(name for rows in clips.values() for name in rows):
        having = [rows for rows in clips.values() if row in rows]
        if not row.startswith("strength"):
            print("\t".join((f"{row} ({len(having)} clips)", *means(having, row))))


def means(clips: list[Rows], row: str) -> list[str]:
    """Return the cells of one row of the table of means."""

    def mean(field: str, of: str = row) -> float:
        return float(np.nanmean([rows[of][field] for rows in clips]))

    def left(field: str) -> float:
        return mean(field) / mean(field, "un-tuned")

    cells = [f"{mean(field):.3g}" for field in DISTANCES]
    cells += [f"{left(field):.2f}" for field in (*DISTANCES, "posed_sld", "posed_slv")]
    nearer_clips = sum(_ratio(clip, row) < 1 for clip in clips)
    cells.append(f"{nearer_clips} of {len(clips)}")
    audible = [rows for rows in clips if not np.isnan(rows["tuned"]["lmd"])]
    known = row != PERSON
    cells.append(f"{mean('sync'):.3f}" if known else "")
    lmds = [rows[row]["lmd"] for rows in audible]
    cells.append(f"{np.mean(lmds):.3f}" if known and lmds else "")
    return cells


def _ratio(clip: Rows, row: str) -> float:
    return distance_ratio(HoldoutScores(**clip["un-tuned"]), HoldoutScores(**clip[row]))


def sweep_table(swept: list[Rows], against: str, picture: Path) -> None:
    """Print and draw the mean distance left at each strength, and in how many clips it falls."""
    print(f"\nstrength, {against}\tleft of SLD\tSLV\tSMD\tmean")
    distances = np.array(
        [
            [
                [rows[f"strength {strength}, {against}"][field] for field in DISTANCES]
                for strength in STRENGTHS
            ]
            for rows in swept
        ]
    )
    curves = distances / distances[:, :1]
    for number, strength in enumerate(STRENGTHS):
        cells = [f"{value:.3f}" for value in (*curves[:, number].mean(0), curves[:, number].mean())]
        print("\t".join((f"{strength:g}", *cells)))
    draw_sweep(curves.mean(0), picture)
    upto = curves[:, : STRENGTHS.index(1.0) + 1]
    for field, values in (("SLD", upto[..., 0]), ("mean of three", upto.mean(-1))):
        falls = int(np.all(np.diff(values, axis=1) < 0, axis=1).sum())
        print(f"{field} falls at every step up to 1 in {falls} of {len(swept)} clips")


def draw_sweep(means: NDArray[np.float64], picture: Path) -> None:
    """Draw the distances left (S, 3) over the strengths, and their mean."""
    figure = Figure(figsize=(5.6, 3.6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)  # the figure keeps it: no window, no global state
    axes = figure.subplots()
    for field, values in zip(DISTANCES, means.T, strict=True):
        axes.plot(STRENGTHS, values, label=field.upper(), linewidth=1.2)
    axes.plot(STRENGTHS, means.mean(1), label="mean", linewidth=2.4, color="#c4402a")
    axes.set_xlabel("style strength")
    axes.set_ylabel("distance left, of the un-tuned one")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(picture, format="png")


if __name__ == "__main__":
    main()
