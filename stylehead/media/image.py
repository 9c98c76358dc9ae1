"""Still pictures in and out."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from stylehead.errors import MediaError
from stylehead.files import atomic, check_file
from stylehead.types import Pixels

LARGEST_PICTURE = 100_000_000  # pixels; beyond it decoding alone needs gigabytes
LONGEST_SIDE = 3840  # pixels of a written video; H.264 levels in common players end there


def read_image(path: Path) -> Pixels:
    """Read a still picture as upright (H, W, 3) RGB.

    Grey, 16-bit and palette pictures are converted, transparency is laid on white, EXIF orientation
    is applied. Raises MediaError for anything that is not one readable still picture.
    """
    check_file(path, "picture")
    # Pillow's bomb check is replaced by ours, which names the remedy; what else it warns of
    # (damaged EXIF fields) either does no harm or ends in an error.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as image:
                return _still(path, image)
        except Image.DecompressionBombError as error:
            raise _too_large(path, "far") from error
        except (OSError, SyntaxError, ValueError) as error:
            raise MediaError(
                f"{path} is not a picture that can be read.",
                remedy="Save it again as PNG or JPEG.",
            ) from error


def _too_large(path: Path, size: str) -> MediaError:
    return MediaError(
        f"{path} has {size} more than the {LARGEST_PICTURE // 10**6} million pixels that can be"
        " handled.",
        remedy=f"Make its longer side {LONGEST_SIDE} pixels.",
    )


def _still(path: Path, image: Image.Image) -> Pixels:
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise MediaError(
            f"{path} is an animation of {getattr(image, 'n_frames', 1)} pictures.",
            remedy="Save the one picture you want as PNG.",
        )
    if image.width * image.height > LARGEST_PICTURE:
        raise _too_large(path, f"{image.width} x {image.height} pixels,")
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16-bit grey
        deep = np.asarray(upright, np.float32)
        top = 65535 if deep.max() > 255 else 255
        upright = Image.fromarray((deep * (255 / top)).round().astype(np.uint8))
    if upright.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        upright = Image.alpha_composite(white, rgba)
    return np.asarray(upright.convert("RGB")).copy()


def fit_video(pixels: Pixels) -> Pixels:
    """Scale a picture down so that its longer side is at most LONGEST_SIDE."""
    longest = max(pixels.shape[:2])
    if longest <= LONGEST_SIDE:
        return pixels
    height, width = (max(2, round(side * LONGEST_SIDE / longest)) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def encode_jpeg(pixels: Pixels) -> bytes:
    """Return a picture as the bytes of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


def write_image(path: Path, pixels: Pixels) -> None:
    """Write a PNG; the file appears whole or not at all."""
    with atomic(path) as part:
        Image.fromarray(pixels).save(part, format="PNG")
