"""Which encoder a video gets: the one that was asked for, where it can be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stylehead.errors import MediaError
from stylehead.media.audio import Sound
from stylehead.media.copied_sound import Packets, packets_of
from stylehead.media.h264 import H264, HARDWARE, X264
from stylehead.media.segment import SegmentEncoder
from stylehead.options import Options, Piped, VideoEncoder
from stylehead.pipeline.deliver import kind_of
from stylehead.pipeline.film import Shot
from stylehead.progress import Reporter


def with_encoder(
    shot: Shot, output: Path, options: Options, *, kept: bool, reporter: Reporter
) -> Shot:
    """Return a shot with the encoder of its segments, if it is laid together from any.

    An encoder of hardware is tried on a frame; where it fails, that is said, and x264 takes its
    place. `kept`: whether segments are kept, or made by several. Then x264 makes them, for whoever
    makes one has to make the same.
    """
    kind = kind_of(output, options)
    if not kind or not kind.segmented:
        return shot
    asked = options.video_encoder
    return replace(shot, by=_chosen(shot, asked, kept=kept, reporter=reporter))


def name_of_encoder(shot: Shot, output: Path, options: Options) -> str:
    """Return what encodes a video's pictures, as the video and `--json` name it."""
    kind = kind_of(output, options)
    if kind is None:
        return "ffmpeg" if options.encoder_args else "none"
    return shot.by.name if kind.segmented else kind.codec


def packets_for(sound: Sound, output: Path, options: Options) -> Packets | None:
    """Return how a recording's sound is copied into a video; None where it is encoded, or silent.

    An MP4 that is written as a stream has no list of what is not to be heard.
    """
    kind = kind_of(output, options)
    return packets_of(sound, kind) if kind and options.format is not Piped.MP4 else None


def sound_in(output: Path, packets: Packets | None, options: Options) -> str:
    """Return what becomes of the sound, as `--json` names it: copied, encoded, or none."""
    kind = kind_of(output, options)
    if packets:
        return "copied"
    return "encoded" if options.encoder_args or (kind and kind.sound) else "none"


def _chosen(shot: Shot, asked: VideoEncoder, *, kept: bool, reporter: Reporter) -> H264:
    if asked is VideoEncoder.AUTO:
        nvenc = HARDWARE[VideoEncoder.NVENC]
        beside_gpu = shot.scene.device.type == "cuda" and not kept
        return nvenc if beside_gpu and _failure(shot, nvenc) is None else X264
    if asked is VideoEncoder.X264:
        return X264
    found = HARDWARE[asked]
    if kept:
        reporter.say(
            f"Note: x264 encodes this video instead of {found.name}: its segments are kept, or "
            "made by several, and have to be the same whoever makes them."
        )
        return X264
    if why := _failure(shot, found):
        reporter.say(f"Note: {why} x264 encodes this video instead.")
        return X264
    return found


def _failure(shot: Shot, by: H264) -> str | None:
    """Encode the first frame's still picture; return what goes wrong, in a sentence."""
    try:
        encoder = SegmentEncoder(*shot.size, shot.motions[0].fps, by)
        encoder.add(shot.picture())
        made = encoder.finish()
    except MediaError as failure:
        return str(failure)
    closed = made.header and len(made.table) == 1 and made.table[0, 3]
    return None if closed else f"The video encoder {by.name} makes no segments that can be joined."
