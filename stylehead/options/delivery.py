"""Options of how a video is delivered: what is behind the person, its frame, its encoder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stylehead.options.choices import Piped, VideoEncoder, option
from stylehead.options.shared import DELIVERY


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What a video is made into."""

    alpha: bool = option(
        False,
        "Make the background transparent, in .webm, .mov (ProRes 4444), .webp, .apng and PNG "
        "pictures.",
        panel=DELIVERY,
    )
    background: str | None = option(
        None,
        "What is behind the person: a colour (green, #00ff00) or a picture. Default: the "
        "portrait's own background.",
        panel=DELIVERY,
        metavar="COLOUR|FILE",
    )
    frame: str | None = option(
        None,
        "Shape of the video, as 9:16, 1:1 or 16:9, or its size in pixels, as 1080x1920; the eyes "
        "are in its upper third or just below. Default: the portrait's.",
        panel=DELIVERY,
        metavar="W:H|WxH",
    )
    extend: str | None = option(
        None,
        "What a --frame larger than the picture shows around it: the picture's edge continued, "
        "out of focus (blur) or sharp (edge), or a colour. Default: blur.",
        panel=DELIVERY,
        metavar="blur|edge|COLOUR",
    )
    video_encoder: VideoEncoder = option(
        VideoEncoder.AUTO,
        "What encodes H.264 (.mp4, .m4v, .mov, .mkv): x264, or hardware where it can be used. "
        "`auto` is x264, and NVENC beside a GPU that renders.",
        panel=DELIVERY,
    )
    encoder_args: str | None = option(
        None,
        "Let a separate ffmpeg program encode frames and sound, with these arguments "
        '(--encoder-args "-c:v hap -format hap_alpha"). Default: none.',
        panel=DELIVERY,
        metavar="ARGS",
    )

    mark: bool = option(
        True,
        "Put an invisible mark into the moving part of the picture, so that `verify` recognises "
        "the video even after re-encoding.",
        flag="--mark/--no-mark",
        panel=DELIVERY,
    )
    sign_key: Path | None = option(
        None,
        "Private key to sign with (PEM, without a password). Default: one made on first use.",
        panel=DELIVERY,
    )
    sign_cert: Path | None = option(
        None,
        "With --sign-key: its certificate, then the chain of certificates that confirm it (PEM). "
        "Default: none.",
        panel=DELIVERY,
    )
    format: Piped | None = option(
        None,
        "With -o -: the format on standard output; y4m is uncompressed frames without sound. "
        "Default: none; a file's ending decides.",
        panel=DELIVERY,
    )

    @property
    def cut_out(self) -> bool:
        """Whether the person is cut out of the picture."""
        return self.alpha or self.background is not None


STDOUT = Path("-")
"""What stands for standard output where a video is named."""
SIDECAR = ".c2pa"
"""Ends the name of a signature that is kept beside a video."""
PICTURE_NAMES = "%05d.png"


def named(output: Path | str) -> Path:
    """Return the path of a video; a name that ends in a slash is a folder of numbered pictures."""
    if isinstance(output, str) and output.endswith(("/", os.sep)):
        return Path(output) / PICTURE_NAMES
    return Path(output)


def sidecar_of(output: Path) -> Path:
    """Return where the signature of a video is kept that cannot hold one, or of a folder."""
    return output.with_name(f"{output.name}{SIDECAR}")
