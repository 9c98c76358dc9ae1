"""By which of three ways a video is written: segments, one stream, or an ffmpeg outside."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from stylehead.compute.device import usable_cores
from stylehead.media.copied_sound import Packets
from stylehead.media.formats import PICTURES
from stylehead.media.muxer import write_video
from stylehead.media.outside import write_outside
from stylehead.media.stream import write_pictures, write_stream, write_y4m
from stylehead.options import Options, Piped
from stylehead.pipeline.deliver import kind_of, written_to
from stylehead.pipeline.film import Shot
from stylehead.pipeline.frames import frames_of
from stylehead.pipeline.song import Song
from stylehead.pipeline.unfinished import Unfinished, film_on
from stylehead.progress import Reporter


def write(
    output: Path,
    shot: Shot,
    song: Song,
    metadata: dict[str, str],
    *,
    packets: Packets | None,
    options: Options,
    unfinished: Unfinished | None,
    finish: Callable[[Path], None],
    reporter: Reporter,
) -> None:
    """Render and write a video with its song's sound and lyrics; a file is finished last.

    The `packets` of its sound are copied, where there are any.
    """
    sound, shown = song.played, song.subtitles
    size, fps, workers = shot.size, shot.motions[0].fps, options.workers or usable_cores()
    if options.format is Piped.Y4M:
        with closing(frames_of(shot, workers=workers, reporter=reporter)) as frames:
            write_y4m(sys.stdout.buffer, frames, size=size, fps=fps)
        return
    kind = kind_of(output, options)
    if kind and not kind.sound:
        reporter.say(f"{output.name if kind is not PICTURES else written_to(output)} is silent.")
    if kind and kind.segmented:
        made = film_on(shot, unfinished, workers=workers, reporter=reporter)
        with closing(made) as segments:
            write_video(
                output,
                segments,
                size=size,
                fps=fps,
                sound=sound,
                metadata=metadata,
                shown=shown,
                packets=packets,
                kind=kind,
                by=shot.by,
                to=sys.stdout.buffer if options.format else None,
                finish=finish,
            )
        return
    with closing(frames_of(shot, workers=workers, reporter=reporter)) as frames:
        if options.encoder_args:
            words = options.encoder_args
            write_outside(
                output,
                frames,
                words,
                size=size,
                fps=fps,
                sound=sound,
                metadata=metadata,
                finish=finish,
            )
        elif kind is PICTURES:
            write_pictures(output, frames, metadata=metadata, finish=finish)
        elif kind:
            write_stream(
                output,
                frames,
                kind,
                size=size,
                fps=fps,
                sound=sound,
                metadata=metadata,
                shown=shown,
                packets=packets,
                finish=finish,
            )
