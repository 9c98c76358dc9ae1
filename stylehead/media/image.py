"""Still pictures in and out."""

from __future__ import annotations

import io
import logging
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageColor, ImageOps

from stylehead.errors import MediaError
from stylehead.files import atomic, check_file
from stylehead.media.bounds import MOST_PIXELS
from stylehead.media.kinds import of_another_kind
from stylehead.types import Pixels

log = logging.getLogger(__name__)
LONGEST_SIDE = 3840  # pixels of a written video; H.264 levels in common players end there
PLAIN_FIRST = ("MPO", "PSD")  # several pictures in a file, of which the first is the plain one
FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM"),
    *("PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
)
"""Pictures that are opened; for some of the others (EPS) Pillow runs another program."""
DAMAGED = (
    *(OSError, SyntaxError, ValueError, LookupError, TypeError, ArithmeticError, EOFError),
    *(NotImplementedError, struct.error),
)
"""What Pillow raises for bytes that are no picture."""
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
ROUNDING = 2  # of 255
OPAQUE = 255


def read_image(path: Path) -> Pixels:
    """Read a still picture as upright (H, W, 3) sRGB; see read_picture."""
    return read_picture(path)[0]


def read_picture(path: Path) -> tuple[Pixels, Pixels | None]:
    """Read a still picture as upright (H, W, 3) sRGB, and how opaque it is.

    Opacity is (H, W), 0 to 255, and None where all is opaque.

    Grey, 16-bit and palette pictures are converted, colours by the picture's own profile,
    transparency is laid on white, EXIF orientation is applied. Of a photograph with depth or gain
    maps the plain picture is taken. Raises MediaError for anything that is not one readable still
    picture.
    """
    check_file(path, "picture")
    formats = FORMATS
    if _is_heic(path):
        _register_heic(path)
        formats = (*FORMATS, "HEIF")
    # Pillow's bomb check is replaced by ours, which names the remedy; what else it warns of
    # (damaged EXIF fields) either does no harm or ends in an error.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=formats) as image:
                return _still(path, image)
        except Image.DecompressionBombError as error:
            raise _too_large(path, "far") from error
        except DAMAGED as error:
            raise of_another_kind(path, "picture") or MediaError(
                f"{path} is not a picture that can be read.",
                remedy="Save it again as PNG or JPEG.",
            ) from error


def _is_heic(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(64)
    size = int.from_bytes(head[:4], "big")
    brands = {head[at : at + 4] for at in range(8, min(size, len(head)), 4)}
    return head[4:8] == b"ftyp" and bool(brands & HEIC_BRANDS)


def _register_heic(path: Path) -> None:
    try:
        from pi_heif import register_heif_opener
    except ImportError as error:
        raise MediaError(
            f"{path} is a HEIC picture, which this installation cannot read.",
            remedy="Run pip install pi-heif, or save the picture as PNG or JPEG.",
        ) from error
    register_heif_opener()


def _too_large(path: Path, size: str) -> MediaError:
    return MediaError(
        f"{path} has {size} more than the {MOST_PIXELS // 10**6} million pixels that can be"
        " handled.",
        remedy=f"Make its longer side {LONGEST_SIDE} pixels.",
    )


def _still(path: Path, image: Image.Image) -> tuple[Pixels, Pixels | None]:
    profile = image.info.get("icc_profile")
    upright, alpha = _split(_upright(path, image))
    if alpha is not None and alpha.getextrema()[1] == 0:
        raise MediaError(
            f"{path} is wholly transparent.",
            remedy="Save it again without transparency (an alpha channel).",
        )
    rgb = to_srgb(upright, profile) if profile else upright.convert("RGB")
    if alpha is None or alpha.getextrema()[0] == OPAQUE:
        return np.asarray(rgb).copy(), None
    rgb = Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)
    return np.asarray(rgb).copy(), np.asarray(alpha).copy()


def _upright(path: Path, image: Image.Image) -> Image.Image:
    """Return a single picture of bearable size, upright and at 8 bits."""
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format not in PLAIN_FIRST:
        remedy = "Save the one picture you want as PNG."
        if image.format == "TIFF":
            raise MediaError(f"{path} has {count} pages.", remedy=remedy)
        raise MediaError(f"{path} is an animation of {count} pictures.", remedy=remedy)
    if image.width * image.height > MOST_PIXELS:
        raise _too_large(path, f"{image.width} x {image.height} pixels,")
    upright = ImageOps.exif_transpose(image)
    return _eight_bits(path, upright) if upright.mode.startswith(("I", "F")) else upright


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return a picture without its transparency, and that, if it has one."""
    if image.mode not in ("RGBA", "LA", "PA", "La", "RGBa") and "transparency" not in image.info:
        return image, None
    colours = "LA" if image.mode in ("LA", "La") else "RGBA"
    image = image.convert(colours)
    return image.convert(colours[:-1]), image.getchannel("A")


def _eight_bits(path: Path, image: Image.Image) -> Image.Image:
    """Return a deep grey picture at 8 bits: 16-bit ones, and floats up to 1, 255 or 65535."""
    deep = np.asarray(image, np.float32)
    low, high = float(deep.min()), float(deep.max())
    if not (low >= 0 and high <= 65535):  # or not a number
        raise MediaError(
            f"{path} holds numbers from {low:g} to {high:g} instead of shades of grey.",
            remedy="Save it as an 8-bit PNG.",
        )
    whole = not image.mode.startswith("F")
    top = next(top for top in (1, 255, 65535) if high <= top and not (whole and top == 1))
    return Image.fromarray((deep * (255 / top)).round().astype(np.uint8))


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return an RGB picture whose colours are meant as `profile` (ICC) says, in sRGB.

    A damaged profile, or one of another kind of picture, is left aside, as browsers do.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        assert isinstance(source.profile, ImageCms.core.CmsProfile)
        space = source.profile.xcolor_space.strip()
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[space]
        if (mode == "CMYK") != (image.mode == "CMYK") or (mode == "L" and image.mode not in "L1"):
            raise KeyError(space)
        convert = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        if mode == "RGB" and _changes_nothing(convert):
            return image.convert("RGB")
        converted = ImageCms.applyTransform(image.convert(mode), convert)
    except (ImageCms.PyCMSError, OSError, KeyError) as error:
        log.warning("a colour profile was left aside (%s)", error)
        return image.convert("RGB")
    assert converted is not None  # it is only in place
    return converted


def _changes_nothing(convert: ImageCms.ImageCmsTransform) -> bool:
    """Return whether a transform moves no colour by more than rounding does: sRGB itself."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3)
    moved = ImageCms.applyTransform(Image.fromarray(cube), convert)
    return bool(np.abs(np.asarray(moved, int) - cube).max() <= ROUNDING)


def fit_video(pixels: Pixels) -> Pixels:
    """Scale a picture, or its matte, down so that its longer side is at most LONGEST_SIDE."""
    longest = max(pixels.shape[:2])
    if longest <= LONGEST_SIDE:
        return pixels
    height, width = (max(2, round(side * LONGEST_SIDE / longest)) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def read_colour(text: str) -> Pixels | None:
    """Return a colour (3,) by its name or number (green, #00ff00); None for what is no colour."""
    try:
        return np.array(ImageColor.getrgb(text)[:3], np.uint8)
    except ValueError:
        return None


def filling(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return a picture scaled to fill a size, what is too long cut off at both ends."""
    fitted = ImageOps.fit(Image.fromarray(pixels), (width, height), Image.Resampling.LANCZOS)
    return np.asarray(fitted, np.uint8)


def encode_jpeg(pixels: Pixels) -> bytes:
    """Return a picture as the bytes of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


def write_image(path: Path, pixels: Pixels) -> None:
    """Write a PNG; the file appears whole or not at all."""
    with atomic(path) as part:
        Image.fromarray(pixels).save(part, format="PNG")
