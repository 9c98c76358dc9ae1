"""Does a video move like its style? Learn the style of the rendered video and compare.

    python benchmarks/styles.py PORTRAIT AUDIO STYLE_CLIP STYLE_CLIP... [--seconds 30]

The same portrait and sound are animated in the style of each clip; the table shows each measure as
the clip has it and as the tracker finds it in the result.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from stylehead import Options, animate, extract_style

MEASURES = {
    "mouth opening range, interocular": "mouth_opening_range",
    "mouth width range, interocular": "mouth_width_range",
    "brow range, interocular": "brow_range",
    "pitch range, degrees": "pitch_range_degrees",
    "yaw range, degrees": "yaw_range_degrees",
    "roll range, degrees": "roll_range_degrees",
    "yaw speed, degrees a second": "yaw_speed_degrees_per_second",
    "blinks a minute": "blinks_per_minute",
}


def main() -> None:
    """Print one column pair for each style clip."""
    parser = argparse.ArgumentParser()
    parser.add_argument("portrait", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=30)
    asked = parser.parse_args()
    columns: list[tuple[dict[str, float], dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, clip in enumerate(asked.clips):
            style = extract_style(clip)
            video = Path(folder) / f"{number}.mp4"
            options = Options(duration=asked.seconds, crop=True)
            animate(asked.portrait, asked.audio, video, style=style, options=options)
            columns.append((style.statistics, extract_style(video).statistics))
    print(f"{'clip -> result':34}" + "".join(f"{clip.stem[:24]:>26}" for clip in asked.clips))
    for title, name in MEASURES.items():
        cells = "".join(f"{have[name]:>13.3g} -> {got[name]:<9.3g}" for have, got in columns)
        print(f"{title:34}{cells}")


if __name__ == "__main__":
    main()
