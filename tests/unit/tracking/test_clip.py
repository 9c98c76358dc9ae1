"""A face is followed wherever it is in the picture, and however small it is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from stylehead.errors import FaceError
from stylehead.face.landmarks import to_68
from stylehead.tracking.clip import crowd_share, track_video
from stylehead.types import FaceTrack, Pixels
from tests.stand_ins import media

STEP = 8  # pixels that the small face moves from frame to frame


def wide(left: int, *, face: bool = True) -> Pixels:
    """Return a wide picture with the portrait's face, a ninth as wide, that far from its side."""
    canvas = np.full((540, 1000, 3), 100, np.uint8)
    if face:
        canvas[:, left : left + 480] = media.resized(media.portrait(), (480, 480))[
            np.linspace(0, 479, 540).astype(int)
        ]
    return canvas


@pytest.fixture
def tracked(home: Path, tmp_path: Path) -> Callable[[list[Pixels]], FaceTrack]:
    del home  # the model file is there

    def go(frames: list[Pixels]) -> FaceTrack:
        return track_video(media.save_video(tmp_path / "clip.mp4", frames))

    return go


def middles(track: FaceTrack) -> np.ndarray:
    return track.mesh[:, :, 0].mean(1)


def test_a_small_face_is_followed_across_the_picture(
    tracked: Callable[[list[Pixels]], FaceTrack],
) -> None:
    track = tracked([wide(STEP * number) for number in range(50)])
    assert track.found.all()
    assert track.size == (1000, 540)
    moved = middles(track) - middles(track)[0]
    np.testing.assert_allclose(moved, STEP * np.arange(50), atol=6)


def test_a_face_that_comes_back_elsewhere_is_found_again(
    tracked: Callable[[list[Pixels]], FaceTrack],
) -> None:
    here, nobody, there = wide(0), wide(0, face=False), wide(500)
    track = tracked([here] * 5 + [nobody] * 20 + [there] * 30)
    assert track.found[:5].all() and not track.found[5:25].any()
    assert track.found[-5:].all()
    assert middles(track)[-1] - middles(track)[0] == pytest.approx(500, abs=6)


def test_a_close_face_after_a_small_one_is_followed_in_the_whole_picture(
    tracked: Callable[[list[Pixels]], FaceTrack],
) -> None:
    close = np.asarray(media.resized(media.portrait()[:300, 100:400], (1000, 540)))
    track = tracked([wide(0)] * 5 + [close] * 30)
    heights = np.ptp(track.mesh[:, :, 1], axis=1)
    assert heights[-1] > 1.5 * heights[0]


def test_a_clip_without_a_face_says_so(tracked: Callable[[list[Pixels]], FaceTrack]) -> None:
    with pytest.raises(FaceError, match="no face in any of its 30 frames"):
        tracked([wide(0, face=False)] * 30)


def test_a_small_second_face_is_a_crowd(home: Path, tmp_path: Path) -> None:
    del home
    crowd = media.save_video(tmp_path / "crowd.mp4", [media.two_faces(512, 480)] * 5)
    alone = media.save_video(tmp_path / "alone.mp4", [wide(0)] * 5)
    assert crowd_share(crowd) == 1
    assert crowd_share(alone) == 0


def test_sharpness_falls_with_blur_and_not_with_an_open_mouth(
    tracked: Callable[[list[Pixels]], FaceTrack],
) -> None:
    """Stripes over the mouth are the edges of teeth: eyes and nose are as sharp as before."""
    plain = media.resized(media.portrait(), (480, 480))
    mesh = tracked([plain] * 3).mesh[-1]
    points = to_68(mesh)[48:68, :2]
    (left, top), (right, bottom) = points.min(0).astype(int), points.max(0).astype(int)
    open_mouth = plain.copy()
    open_mouth[top + 4 : bottom : 4, left:right] = 255
    soft = np.asarray(cv2.GaussianBlur(plain, (0, 0), 2), np.uint8)
    still, opened, blurred = (
        float(tracked([frame] * 3).sharpness[-1]) for frame in (plain, open_mouth, soft)
    )
    assert opened == pytest.approx(still, rel=0.15)
    assert blurred < 0.5 * still


def test_of_a_fast_film_each_second_frame_is_tracked(tmp_path: Path) -> None:
    frames = [media.resized(media.portrait(), (160, 160))] * 30
    clip = media.save_video(tmp_path / "clip.mp4", frames, fps=60)
    whole, some = track_video(clip), track_video(clip, enough=24.0)
    np.testing.assert_allclose(some.seconds, whole.seconds[::2])
    assert some.found.all()
