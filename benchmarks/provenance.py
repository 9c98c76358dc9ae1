"""Signature and mark, measured.

    python benchmarks/provenance.py PORTRAIT... [--clips FOLDER...] [--seconds 8]

PORTRAIT are pictures, animated with the demo's voice; without one, and without clips, it is the
demo's. --clips are folders of videos that nobody has marked: the first five seconds of each.

Prints, for each portrait: what C2PA says of the video, of one whose byte was flipped, and how long
signing takes; what the mark costs (bytes, time, PSNR and SSIM against the same frames without it,
and how much of the frame it is in); and how surely it is found as made, encoded again at crf 28,
besides at half the size, besides at 24 frames a second, and in three seconds of that from 1.23 s
on. Then how strongly videos without the mark agree with the key.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

from stylehead import Options, animate, demo_files
from stylehead.errors import MediaError
from stylehead.media.formats import VIDEO_SUFFIXES
from stylehead.media.image import read_image
from stylehead.media.video import read_frames
from stylehead.options import sidecar_of
from stylehead.provenance import sign
from stylehead.provenance.detect import SURE, Found, find_mark, look_for_mark
from stylehead.provenance.keys import own_key, own_root
from stylehead.provenance.manifest import manifest_of
from stylehead.provenance.mark import Mark
from stylehead.types import Pixels

PART = 5.0
"""Seconds of an unmarked clip."""
EVERY = 10
"""Frames from one that is compared to the next."""
AGAIN = {
    "crf 28": [],
    "crf 28, half the size": ["-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2"],
    "the same at 24 fps": ["-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2,fps=24"],
    "3 s of that": ["-ss", "1.23", "-t", "3", "-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2,fps=24"],
}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("portraits", nargs="*", type=Path, default=[])
    parser.add_argument("--clips", nargs="*", type=Path, default=[])
    parser.add_argument("--seconds", type=float, default=8.0)
    asked = parser.parse_args()
    if not asked.portraits and not asked.clips:
        asked.portraits = [demo_files()[0]]
    without: list[Found] = []
    with tempfile.TemporaryDirectory() as place:
        for portrait in asked.portraits:
            without.append(measure(portrait, asked.seconds, Path(place)))
    without += chain.from_iterable(map(unmarked, videos(asked.clips)))
    strengths = np.array([one.strength for one in without])
    print(
        f"{len(without)} videos without the mark: median strength {np.median(strengths):.2f}, "
        f"{strengths.max():.2f} at most; {sum(one.there for one in without)} false alarms; "
        f"it counts as found below a chance of {SURE:g}, that is from "
        f"{np.sqrt(2 * np.log(32 / SURE)):.2f} on"
    )


def measure(portrait: Path, seconds: float, folder: Path) -> Found:
    """Print all that concerns one portrait; return what is seen of the mark where there is none."""
    audio = demo_files()[1]
    options = Options(duration=seconds, overwrite=True)
    marked, plain = folder / "marked.mp4", folder / "plain.mp4"
    took: list[float] = []
    for path, mark in ((plain, False), (marked, True)):
        began = time.perf_counter()
        animate(portrait, audio, path, options=replace(options, mark=mark))
        took.append(time.perf_counter() - began)
    bigger = marked.stat().st_size / plain.stat().st_size - 1
    print(f"{portrait.name}: {marked.stat().st_size / 1e6:.2f} MB, {bigger:+.0%} by the mark")
    print(f"  signature: {states(marked)}; signing takes {signing(marked):.3f} s")
    drawn(portrait, folder, options)
    found = find_mark(marked)
    print(f"  found as made: {shown(found)}")
    for name, words in AGAIN.items():
        again = folder / "again.mp4"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", str(marked)]
        command += [*words, "-c:v", "libx264", "-crf", "28", str(again)]
        subprocess.run(command, check=True)
        print(f"  {name}: {shown(find_mark(again))}", flush=True)
    return find_mark(plain)


def shown(found: Found) -> str:
    """Return what was found in words."""
    return f"strength {found.strength:.1f}, chance {found.false_alarm:.0e}"


def states(path: Path) -> str:
    """Return C2PA's word for a video, by itself, with one's own root, and with a flipped byte."""
    words = [word(path, None), word(path, own_root())]
    altered = path.with_stem("altered")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    altered.write_bytes(content)
    return "{}, with our root {}, a byte flipped {}".format(*words, word(altered, own_root()))


def word(path: Path, root: str | None) -> str:
    """Return C2PA's word for a video."""
    store = sign.read(path, sidecar_of(path), root)
    return store["validation_state"] if store else "unsigned"


def signing(path: Path) -> float:
    """Return how long it takes to sign a video again, in seconds."""
    key, manifest = own_key(), manifest_of("again", [], {})
    began = time.perf_counter()
    sign.sign(path, "mp4", manifest, key)
    return time.perf_counter() - began


def drawn(portrait: Path, folder: Path, options: Options) -> None:
    """Print what the mark does to frames, by pictures without loss."""
    short = replace(options, duration=3.0)
    for name, mark in (("a", False), ("b", True)):
        animate(portrait, demo_files()[1], f"{folder / name}/", options=replace(short, mark=mark))
    pairs = [
        (read_image(path), read_image(folder / "b" / path.name))
        for path in sorted((folder / "a").glob("*.png"))[::EVERY]
    ]
    change = np.stack([other.astype(int) - one for one, other in pairs])
    alike = [ssim(one, other) for one, other in pairs]
    print(
        f"  mark: PSNR {10 * np.log10(255**2 / (change**2).mean()):.1f} dB, SSIM {min(alike):.4f} "
        f"at least, {abs(change).max()} of 255 at most; {(change != 0).any((0, 3)).mean():.0%} of "
        f"the frame is marked; "
        f"{adding(pairs[0][0]):.2f} ms a frame if all of it moved"
    )


def ssim(one: Pixels, other: Pixels) -> float:
    """Return the structural similarity of the brightness of two pictures (H, W, 3)."""
    x, y = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float64) for each in (one, other))

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    a, b = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * mx * my + a) * (2 * both + b) / ((mx**2 + my**2 + a) * (vx + vy + b))
    return float(found.mean())


def adding(picture: Pixels) -> float:
    """Return how many milliseconds it takes to mark a frame that moves all over."""
    height, width = picture.shape[:2]
    mark = Mark.of(picture, np.s_[:height, :width], Options().rate)
    began = time.perf_counter()
    for number in range(50):
        mark.on(picture, number)
    return (time.perf_counter() - began) / 50 * 1e3


def videos(folders: list[Path]) -> Iterator[Path]:
    """Yield the videos of folders."""
    endings = {*VIDEO_SUFFIXES, ".mpg", ".avi"}
    for folder in folders:
        yield from sorted(path for path in folder.iterdir() if path.suffix.lower() in endings)


def unmarked(path: Path) -> Iterator[Found]:
    """Yield what is seen in a video that nobody has marked."""
    try:
        yield look_for_mark(read_frames(path, duration=PART))
    except MediaError:  # it cannot be read
        return


if __name__ == "__main__":
    main()
