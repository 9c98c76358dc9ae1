"""The portrait's face: small, turned, one or none, and what is said about each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylehead.errors import FaceError
from stylehead.tracking import portrait
from stylehead.tracking.portrait import find_portrait
from tests.stand_ins import media


def turned(degrees: float) -> np.ndarray:
    """Return the portrait turned counter-clockwise on a grey ground."""
    picture = Image.fromarray(media.portrait()).rotate(
        degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=(120, 120, 120)
    )
    return np.asarray(picture)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("degrees", [105, 135, 165, 180, 200, 250])
def test_a_face_the_wrong_way_up_is_refused_as_turned(degrees: int) -> None:
    with pytest.raises(FaceError, match="is turned by about") as caught:
        find_portrait(turned(degrees), name="turned")
    words = str(caught.value).split()
    way = 1 if degrees <= 180 else -1
    found = float(words[words.index("degrees.") - 1])
    assert found == pytest.approx(degrees if way > 0 else 360 - degrees, abs=8)
    if degrees != 180:
        wanted = "Turn the picture clockwise" if way > 0 else "counter-clockwise"
        assert wanted in caught.value.remedy


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("degrees", [-85, -45, 20, 70])
def test_a_tilted_face_is_measured_as_it_is(degrees: int) -> None:
    face = find_portrait(turned(degrees), name="tilted").face
    across = (face.mesh[263] - face.mesh[33])[:2]
    assert np.degrees(np.arctan2(-across[1], across[0])) == pytest.approx(degrees, abs=6)
    eyes, chin = face.mesh[[33, 263], :2].mean(0), face.mesh[152, :2]
    down = np.degrees(np.arctan2(*(chin - eyes)))
    assert down == pytest.approx(degrees, abs=12)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("size", "corner"),
    [((3800, 512), (3200, 0)), ((512, 3000), (0, 2300)), ((3840, 2160), (60, 900))],
)
def test_a_small_face_is_found_in_a_large_picture(
    size: tuple[int, int], corner: tuple[int, int]
) -> None:
    pixels = np.full((size[1], size[0], 3), (90, 120, 150), np.uint8)
    x, y = corner
    pixels[y : y + 512, x : x + 512] = media.portrait()
    found = find_portrait(pixels, name="large").face.mesh[:, :2]
    wanted = find_portrait(media.portrait(), name="small").face.mesh[:, :2] + corner
    assert np.linalg.norm(found - wanted, axis=1).mean() < 4


@pytest.mark.usefixtures("home")
def test_a_picture_without_a_face_says_how_large_one_has_to_be() -> None:
    with pytest.raises(FaceError, match="shows no face") as caught:
        find_portrait(media.landscape(), name="field")
    assert "at least 45 pixels high" in caught.value.remedy


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("number", [0, 2])
def test_one_face_needs_no_number(number: int) -> None:
    with pytest.raises(FaceError, match="shows 1 face, so there is no face") as caught:
        find_portrait(media.portrait(), name="one", number=number)
    assert caught.value.remedy == "Leave out --face."


@pytest.mark.usefixtures("home")
def test_a_face_that_many_tiles_show_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[object] = []
    measure = portrait._measure

    def counted(*words: Any) -> Any:
        measured.append(words)
        return measure(*words)

    monkeypatch.setattr(portrait, "_measure", counted)
    assert find_portrait(media.portrait(), name="one").count == 1
    assert len(measured) == 1
