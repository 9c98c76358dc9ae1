"""What a video can be written as: the ending of its name decides."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from stylehead.errors import MediaError


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of file, and how it is encoded."""

    name: str
    endings: tuple[str, ...]
    container: str
    """FFmpeg's name."""
    codec: str
    """FFmpeg's name of the encoder of pictures; libx264 encodes segments, others one stream."""
    pixels: str = "yuv420p"
    """FFmpeg's name of how colours are stored."""
    transparent: str | None = None
    """The same with transparency; None where there is none."""
    options: dict[str, str] = field(default_factory=dict[str, str])
    """Of the encoder."""
    sound: str | None = None
    """FFmpeg's name of the encoder of sound; None for what is silent."""
    copied: tuple[str, ...] = ()
    """FFmpeg's names of the codecs of sound that are copied as they are."""
    words: str | None = None
    """FFmpeg's name for subtitles; None for what shows none."""

    @property
    def segmented(self) -> bool:
        """Whether it is laid together from segments of H.264."""
        return self.codec == "libx264"


MP4 = Format(
    name="MP4",
    endings=(".mp4", ".m4v"),
    container="mp4",
    codec="libx264",
    sound="aac",
    copied=("aac", "mp3"),
    words="mov_text",
)
MOV = replace(MP4, name="QuickTime", endings=(".mov",), copied=("aac", "mp3", "alac"))
"""Browsers do not play ALAC in MP4; what opens QuickTime's files does."""
MATROSKA = Format(
    name="Matroska",
    endings=(".mkv",),
    container="matroska",
    codec="libx264",
    sound="aac",
    copied=("aac", "mp3", "opus", "vorbis", "flac"),
    words="subrip",
)
WEBM = Format(
    name="WebM",
    endings=(".webm",),
    container="webm",
    codec="libvpx-vp9",
    transparent="yuva420p",
    options={
        **{"crf": "20", "deadline": "good", "cpu-used": "5", "row-mt": "1"},
        # Frames that are never shown have no transparency.
        **{"auto-alt-ref": "0", "tile-columns": "1", "g": "150"},
    },
    sound="libopus",
    copied=("opus", "vorbis"),
    words="webvtt",
)
PRORES = Format(
    name="ProRes 4444",
    endings=(".mov",),
    container="mov",
    codec="prores_ks",
    transparent="yuva444p10le",
    options={"profile": "4444", "vendor": "apl0", "alpha_bits": "16"},
    sound="pcm_s16le",
)
GIF = Format(name="GIF", endings=(".gif",), container="gif", codec="gif", pixels="pal8")
WEBP = Format(
    name="WebP",
    endings=(".webp",),
    container="webp",
    codec="libwebp_anim",
    pixels="bgra",
    transparent="bgra",
    options={"quality": "90"},
)
APNG = Format(
    name="APNG",
    endings=(".apng",),
    container="apng",
    codec="apng",
    pixels="rgb24",
    transparent="rgba",
)
PICTURES = Format(
    name="a folder of PNG pictures",
    endings=("/",),
    container="png",
    codec="png",
    pixels="rgb24",
    transparent="rgba",
)
FORMATS = (MP4, MOV, MATROSKA, WEBM, GIF, WEBP, APNG, PICTURES)
VIDEO_SUFFIXES = tuple(ending for one in FORMATS for ending in one.endings)
"""Endings of what can be written; / is a folder of pictures."""
NUMBERED = re.compile(r"[^%]*%0?\d*d[^%]*\.png")


def format_of(path: Path, *, alpha: bool = False) -> Format:
    """Return the format of a file's name; of numbered pictures (frames/%05d.png), too.

    Raises MediaError for an unknown ending, and for one that cannot hold transparency.
    """
    if NUMBERED.fullmatch(path.name):
        return PICTURES
    ending = path.suffix.lower()
    if alpha and ending == ".mov":
        return PRORES
    found = next((one for one in FORMATS if ending in one.endings), None)
    if found is None:
        raise MediaError(
            f"{path} does not end in {', '.join(VIDEO_SUFFIXES[:-1])} or {VIDEO_SUFFIXES[-1]}.",
            remedy="Change the name; one that ends in / is a folder of PNG pictures.",
        )
    if alpha and found.transparent is None:
        raise MediaError(
            f"{path} cannot be transparent: {found.name} holds no alpha channel.",
            remedy="Name it .webm, .mov, .webp or .apng, or a folder of pictures (NAME/); or put "
            "something behind the person with --background.",
        )
    return found
