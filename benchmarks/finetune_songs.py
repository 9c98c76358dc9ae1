"""Does finetune-style tell the truth about singers? Sung clips with their band, one after another.

    python benchmarks/finetune_songs.py --run RUN [--bands FOLDER] [--steps 100] CLIP...
    python benchmarks/finetune_songs.py --kinds CLIP...

With `--bands`, a clip behind which no music plays is given one, 6 dB under the voice. Each is tuned
to as `stylehead finetune-style` does it; a row has the verdict, the style distance over the
un-tuned generator's, the lips' sync, then un-tuned / statistics / tuned LMD and opening range over
the singer's on the held-out singing. RUN keeps clips, styles and reports; what is there is not done
again. `--kinds` prints what tells song from speech instead, of clips and folders of clips.
"""

from __future__ import annotations

import argparse
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import torch
from mixes import RATE, stereo

from stylehead.errors import MediaError, StyleError, StyleheadError
from stylehead.finetuning.run import finetune_style
from stylehead.finetuning.singing import Singing, hear
from stylehead.media.audio import open_audio
from stylehead.options import Encoding, TuningOptions
from stylehead.pipeline.run import load_predictor
from stylehead.progress import Reporter
from stylehead.speech.encoders import LogMelEncoder
from stylehead.speech.listen import Listener
from stylehead.training.data.clips import SUFFIXES
from stylehead.weights.networks import CPU

LEVEL = -6.0  # dB of the band against the voice
BAND_FROM = 20.0  # seconds into a piece: introductions are often quiet
LONGEST = 30.0  # seconds of a clip with --kinds
COLUMNS = ("clip", "verdict", "distance", "sync", "LMD", "opening range", "s")


def main() -> None:
    """Print the table asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--bands", type=Path)
    parser.add_argument("--steps", type=int, default=TuningOptions.steps)
    parser.add_argument("--kinds", action="store_true")
    asked = parser.parse_args()
    listener = load_predictor(Encoding(), CPU).listener
    if asked.kinds:
        listener = replace(listener, encoder=LogMelEncoder())  # quick, and has no say in it
        folders = ([*path.iterdir()] if path.is_dir() else [path] for path in asked.clips)
        paths = sorted(path for folder in folders for path in folder)
        kinds_table([path for path in paths if path.suffix.lower() in SUFFIXES], listener)
        return
    if asked.run is None:
        parser.error("--run is needed.")
    asked.run.mkdir(parents=True, exist_ok=True)
    bands = sorted(asked.bands.iterdir()) if asked.bands else []
    print("\t".join(COLUMNS))
    reasons: list[str] = []
    for number, clip in enumerate(asked.clips):
        song = clip
        if bands and not listened(clip, listener).music > 0.5:
            band = bands[number * len(bands) // len(asked.clips)]
            song = with_band(clip, band, asked.run / f"{clip.stem}.mp4")
        reasons.append(tuned(song, asked.run / f"{clip.stem}.style", asked.steps))
    print("\n".join(reasons))


# ---- song or speech -------------------------------------------------------------------------


def kinds_table(clips: list[Path], listener: Listener) -> None:
    """Print the measures of each clip, and how many are taken for songs."""
    taken = heard = 0
    print("clip\ttaken for\theld notes, of the voice\tthe same, s\tmusic, of the time")
    for clip in clips:
        try:
            singing = listened(clip, listener)
        except MediaError as failure:
            print(f"left out: {failure}")
            continue
        heard, taken = heard + 1, taken + singing.sung
        kind = "sung" if singing.sung else "spoken"
        numbers = f"{singing.held:.2f}\t{singing.seconds:.1f}\t{singing.music:.2f}"
        print(f"{clip.name}\t{kind}\t{numbers}", flush=True)
    print(
        f"{taken} of {heard} are taken for sung\t\theld notes, of the voice\ts\tmusic, of the time"
    )


def listened(clip: Path, listener: Listener) -> Singing:
    """Return what tells song from speech of a clip's beginning."""
    return hear(open_audio(clip, duration=LONGEST), listener).singing


# ---- tuning ---------------------------------------------------------------------------------


class _Quiet(Reporter):
    def start(self, stage: str, total: int | None) -> None:
        pass

    def advance(self) -> None:
        pass

    def say(self, message: str) -> None:
        print(f"  {message}", flush=True)


def tuned(song: Path, output: Path, steps: int) -> str:
    """Tune to a clip, print its row and return why it was refused, or a short word."""
    options = TuningOptions(steps=steps, overwrite=True)
    seconds = ""
    try:
        stopping = nullcontext(lambda: False)
        finetuned = finetune_style(
            [song], output, options=options, stopping=stopping, reporter=_Quiet()
        )
        verdict, reason, seconds = "written", "written", f"{finetuned.seconds:.0f}"
    except StyleError as failure:
        verdict, reason = "refused", str(failure)
    except StyleheadError as failure:
        print(f"{output.stem}\tnot tuned: {failure}", flush=True)
        return f"{output.stem}: {failure}"
    report = json.loads(output.with_suffix(".report.json").read_text(encoding="utf-8"))
    rows = report["rows"]

    def shown(field: str) -> str:
        return " / ".join(
            "" if row[field] is None else f"{row[field]:.2f}" for row in rows.values()
        )

    distance = f"{report['held_out_style_distance']:.2f}"
    cells = (
        distance,
        f"{rows['tuned']['sync']:.2f}",
        shown("lmd"),
        shown("opening_range"),
        seconds,
    )
    print("\t".join((output.stem, verdict, *cells)), flush=True)
    return f"{output.stem}: {reason}"


def with_band(clip: Path, band: Path, path: Path) -> Path:
    """Write a clip whose sound has a band behind its voice, its picture untouched; return it."""
    voice = stereo(open_audio(clip))
    whole = open_audio(band)
    played = stereo(open_audio(band, start=BAND_FROM if whole.seconds > 2 * BAND_FROM else 0.0))
    played = np.tile(played, (-(-len(voice) // len(played)), 1))[: len(voice)]
    mix = voice + played * np.float32(10 ** (LEVEL / 20))
    mix /= max(1.0, float(np.abs(mix).max()))
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        pictures = source.streams.video[0]
        copied = target.add_stream_from_template(pictures)
        sound = target.add_stream("aac", rate=RATE)
        for packet in source.demux(pictures):
            if packet.dts is not None:
                packet.stream = copied
                target.mux(packet)
        frame = av.AudioFrame.from_ndarray(mix.T.copy(), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = RATE, 0
        for packet in (*sound.encode(frame), *sound.encode(None)):
            target.mux(packet)
    return path


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
