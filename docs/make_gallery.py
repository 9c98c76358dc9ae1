"""Make the videos of docs/gallery.md and write the page; with --page write the page alone.

Each video is made by the command that stands under it, and then shown small, for the web.
"""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from PIL import Image

from stylehead.cli.jobs import read_request
from stylehead.cli.video import make_video
from stylehead.media.marks import mark_webp
from stylehead.progress import SILENT
from stylehead.types import Pixels

PAGE = Path(__file__).with_name("gallery.md")
FOLDER = PAGE.with_name("gallery")
ASSETS = "stylehead/assets"
SIDE, RATE, QUALITY = 200, 12, 45  # pixels of the longer side, frames a second, WebP's quality
VOICE = f"--audio {ASSETS}/demo_voice.ogg --start 0.4 --duration 2.5"
PORTRAIT = f"{ASSETS}/demo_portrait.webp"
MADE = {"comment": "AI-generated: a portrait animated by stylehead."}
HEAD = """# Gallery

<!-- Written by docs/make_gallery.py. -->

Each video is what the command under it makes, run in the folder of this repository; here it is
shown without its sound, {side} pixels large and with {rate} frames a second. The portrait is the
one that is built in, Eileen Collins by NASA, in the public domain; the voice is the demo's. The
videos are AI-generated: she never said this.
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A video of the gallery."""

    name: str
    says: str
    options: str
    ending: str = ".mp4"

    @property
    def command(self) -> str:
        """The command that makes it."""
        image = f"--image {PORTRAIT} {VOICE}"
        return f"stylehead animate {image} {self.options} -o {self.name}{self.ending}"

    @property
    def picture(self) -> Path:
        """Where it is shown from."""
        return FOLDER / f"{self.name}.webp"


PARTS = {
    "Styles": (
        Shown("plain", "`plain`, which is used without a style", "--style plain"),
        Shown("lively", "`lively`", "--style lively"),
        Shown("gentle", "`gentle`", "--style gentle"),
        Shown("newsreader", "`newsreader`", "--style newsreader"),
        Shown("orator", "`orator`", "--style orator"),
        Shown("performer", "`performer`", "--style performer"),
    ),
    "More and less": (
        Shown("bold", "Twice the expression", "--style lively --expression 2"),
        Shown("still", "The head kept still", "--style lively --still"),
    ),
    "Formats and frames": (
        Shown("alpha", "Without a background", "--style orator --alpha", ".webm"),
        Shown("blue", "A colour behind", "--style gentle --background '#3b6ea5'"),
        Shown("tall", "For phones", "--style performer --frame 9:16"),
        Shown("face", "The face alone", "--style orator --crop --size 256"),
    ),
}


def page() -> str:
    """Return the whole page."""
    parts = [HEAD.format(side=SIDE, rate=RATE)]
    for title, videos in PARTS.items():
        parts.append(f"\n## {title}\n")
        parts += [
            f"\n{one.says}:\n\n![{one.name}](gallery/{one.name}.webp)\n\n"
            f"```sh\n{wrapped(one.command)}\n```\n"
            for one in videos
        ]
    return "".join(parts)


def wrapped(command: str) -> str:
    """Return a command in two lines."""
    before, after = command.split(" --start ")
    return f"{before} \\\n  --start {after}"


def make(shown: Shown) -> None:
    """Make a video, and the small one that stands for it."""
    with TemporaryDirectory() as folder:
        words = shlex.split(shown.command)[2:]
        words[-1] = f"{folder}/{words[-1]}"
        make_video(read_request(words), SILENT)
        frames = [small(frame) for frame in read(Path(words[-1]))]
    first, *others = map(Image.fromarray, frames)
    first.save(
        shown.picture,
        save_all=True,
        append_images=others,
        duration=round(1000 / RATE),
        loop=0,
        quality=QUALITY,
        method=6,
    )
    mark_webp(shown.picture, MADE)


def read(path: Path) -> list[Pixels]:
    """Return every so many-th frame (H, W, 3 or 4) of a video, RATE a second."""
    alpha = path.suffix == ".webm"
    frames: list[Pixels] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if alpha:  # FFmpeg's own decoder leaves the second picture out
            decoder = av.CodecContext.create("libvpx-vp9", "r")
            decoded = (one for packet in container.demux(stream) for one in decoder.decode(packet))
        else:
            decoded = container.decode(stream)
        step = float(stream.average_rate or RATE) / RATE
        for number, frame in enumerate(decoded):
            if number >= len(frames) * step:
                frames.append(
                    np.asarray(frame.to_ndarray(format="rgba" if alpha else "rgb24"), np.uint8)
                )
    return frames


def small(frame: Pixels) -> Pixels:
    """Return a frame whose longer side has SIDE pixels."""
    picture = Image.fromarray(frame)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def main() -> None:
    """Make what is missing, or what is named, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="videos to make again; none: all")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    asked = parser.parse_args()
    os.chdir(PAGE.parents[1])
    for one in (each for part in PARTS.values() for each in part):
        if not asked.page and one.name in (asked.names or [one.name]):
            make(one)
            print(f"{one.picture.name}: {one.picture.stat().st_size} bytes", flush=True)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
