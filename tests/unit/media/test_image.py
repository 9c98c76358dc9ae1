"""Pictures as other programs save them: profiles, depths, transparency, pages, HEIC."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from stylehead.errors import MediaError
from stylehead.media.image import read_image, read_picture
from tests.stand_ins import media
from tests.stand_ins.pictures import (
    PRIMARIES,
    cmyk_profile,
    grey_profile,
    rgb_profile,
    save_heic,
    shown,
)


def colours() -> np.ndarray:
    """Return (64, 64, 3) of smooth colours, none of them outside of any space."""
    steps = np.linspace(70, 190, 64)
    red, green = np.meshgrid(steps, steps)
    return np.stack([red, green, (red + green) / 2], -1).round().astype(np.uint8)


GAMMAS = {"sRGB": 2.2, "exchanged": 2.2, "Display P3": 2.2, "Adobe RGB": 2.2, "ProPhoto": 1.8}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif"])
@pytest.mark.parametrize("space", list(GAMMAS))
def test_colours_are_meant_as_the_profile_says(tmp_path, space, suffix):
    primaries, gamma = PRIMARIES[space], GAMMAS[space]
    path = tmp_path / f"picture{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {"quality": 97}
    if suffix in (".png", ".tif"):
        options = {}
    profile = rgb_profile(primaries, gamma)
    media.save_picture(path, colours(), icc_profile=profile, **options)
    difference = np.abs(read_image(path) - shown(colours(), primaries, gamma))
    assert difference.mean() < 2.5
    assert np.percentile(difference, 95) < 7


def test_a_profile_counts_for_a_cut_out_too(tmp_path):
    picture = Image.fromarray(colours())
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[:20] = 0
    picture.putalpha(Image.fromarray(alpha))
    path = tmp_path / "cut.png"
    picture.save(path, icc_profile=rgb_profile(PRIMARIES["exchanged"], 2.2))
    found = read_image(path)
    assert (found[:20] == 255).all()
    np.testing.assert_allclose(found[20:], colours()[20:, :, ::-1], atol=8)


def test_of_a_photograph_with_a_gain_map_the_plain_picture_counts(tmp_path):
    path, gain = tmp_path / "hdr.jpg", Image.fromarray(colours()[::-1]).resize((32, 32))
    profile = rgb_profile(PRIMARIES["exchanged"], 2.2)
    options = {"format": "MPO", "save_all": True, "append_images": [gain], "quality": 97}
    Image.fromarray(colours()).save(path, icc_profile=profile, **options)
    difference = np.abs(read_image(path).astype(int) - colours()[..., ::-1])
    assert difference.mean() < 3


@pytest.mark.parametrize("profile", [grey_profile(1.0), rgb_profile(PRIMARIES["sRGB"], 1.0)])
def test_a_grey_picture_follows_its_profile(tmp_path, profile):
    grey = np.tile(np.arange(20, 250, 2, dtype=np.uint8), (16, 1))
    path = media.save_picture(tmp_path / "grey.png", grey, icc_profile=profile)
    found = read_image(path)
    assert np.ptp(found, axis=2).max() <= 1
    wanted = shown(np.repeat(grey[..., None], 3, 2), PRIMARIES["sRGB"], 1.0)
    np.testing.assert_allclose(found, wanted, atol=4)


@pytest.mark.parametrize(
    ("inks", "paper"), [("cmyk", (0, 255, 255)), ("ymck", (255, 255, 0)), ("kmyc", (0, 0, 0))]
)
def test_inks_are_those_of_the_profile(tmp_path, inks, paper):
    first = np.zeros((16, 16, 4), np.uint8)
    first[..., 0] = 255  # the first ink alone
    path = tmp_path / "inks.tif"
    Image.fromarray(first, mode="CMYK").save(path, icc_profile=cmyk_profile(inks))
    np.testing.assert_allclose(read_image(path)[8, 8], paper, atol=30)


@pytest.mark.parametrize("profile", [b"not a profile", bytes(500), grey_profile(2.2)])
def test_a_profile_that_does_not_fit_is_left_aside(tmp_path, profile, caplog):
    path = media.save_picture(tmp_path / "odd.png", colours(), icc_profile=profile)
    np.testing.assert_array_equal(read_image(path), colours())
    assert "profile was left aside" in caplog.text


def test_srgb_changes_no_pixel(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = media.save_picture(tmp_path / "plain.png", colours(), icc_profile=profile)
    np.testing.assert_array_equal(read_image(path), colours())


# ---- depth, transparency, pages -------------------------------------------------------------


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_floating_point_shades_are_read(tmp_path, top):
    grey = colours()[..., 0].astype(np.float32)
    path = tmp_path / "float.tif"
    Image.fromarray(grey / 255 * np.float32(top)).save(path)
    np.testing.assert_allclose(read_image(path)[..., 1], grey, atol=1)


@pytest.mark.parametrize("values", [(-0.5, 1.0), (0.0, 1e6), (0.0, np.nan)])
def test_numbers_that_are_no_shades_are_named(tmp_path, values):
    path = tmp_path / "depth.tif"
    low, high = values
    shades = np.linspace(low, high, 256).astype(np.float32)
    Image.fromarray(shades.reshape(16, 16)).save(path)
    with pytest.raises(MediaError, match="numbers from"):
        read_image(path)


def test_a_wholly_transparent_picture_is_named(tmp_path):
    picture = Image.fromarray(colours())
    picture.putalpha(0)
    picture.save(tmp_path / "clear.png")
    with pytest.raises(MediaError, match="wholly transparent"):
        read_image(tmp_path / "clear.png")
    picture.putalpha(1)
    picture.save(tmp_path / "faint.png")
    assert read_image(tmp_path / "faint.png").min() > 250


def test_transparency_is_read_upright_and_only_where_there_is_some(tmp_path):
    picture = Image.fromarray(colours())
    alpha = np.full(colours().shape[:2], 255, np.uint8)
    picture.putalpha(Image.fromarray(alpha))
    picture.save(tmp_path / "opaque.png")
    assert read_picture(tmp_path / "opaque.png")[1] is None
    assert read_picture(media.save_picture(tmp_path / "plain.png", colours()))[1] is None
    alpha[:3] = 10
    picture.putalpha(Image.fromarray(alpha))
    exif = Image.Exif()
    exif[274] = 3  # upside down
    picture.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "turned.png")[1], alpha[::-1, ::-1])


def test_pages_are_called_pages(tmp_path):
    page = Image.fromarray(colours())
    page.save(tmp_path / "scan.tif", save_all=True, append_images=[page, page])
    with pytest.raises(MediaError, match="has 3 pages"):
        read_image(tmp_path / "scan.tif")


# ---- HEIC -----------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [None, "exchanged"])
def test_a_phones_heic_is_read_with_its_profile(tmp_path, space):
    pytest.importorskip("pi_heif")
    profile = rgb_profile(PRIMARIES[space], 2.2) if space else None
    path = save_heic(tmp_path / "phone.heic", colours(), profile)
    wanted = colours()[..., ::-1] if space else colours()
    assert np.abs(read_image(path).astype(int) - wanted).mean() < 6


def test_without_its_library_a_heic_is_named(tmp_path, monkeypatch):
    path = save_heic(tmp_path / "phone.heic", colours())
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(MediaError, match="is a HEIC picture") as caught:
        read_image(path)
    assert "pip install pi-heif" in caught.value.remedy
