"""Clips that cannot be what they seem: few pictures, a picture that stands, two people."""

from __future__ import annotations

import numpy as np
import pytest

from stylehead.progress import Noting, _Silent
from stylehead.tracking.clip import track_video
from stylehead.tracking.doubts import Looks, glimpse
from stylehead.types import Pixels
from tests.stand_ins import media
from tests.stand_ins.faces import mean_mesh

FPS = 25


def frame(number: int) -> Pixels:
    """Return a picture that is another one each time."""
    return np.roll(media.landscape(), 3 * number, axis=1)


def doubts(frames: list[Pixels], fps: float = FPS) -> list[str]:
    looks = Looks()
    for pixels in frames:
        looks.watch(glimpse(pixels, None))
    return looks.doubts(np.arange(len(frames)) / fps)


def test_a_moving_picture_is_not_doubted() -> None:
    assert doubts([frame(number) for number in range(50)]) == []


@pytest.mark.parametrize("rate", [1, 2, 5])
def test_few_frames_a_second_are_said(rate: int) -> None:
    (said,) = doubts([frame(number) for number in range(4 * rate)], rate)
    assert f"only {rate:.1f} frames a second" in said


@pytest.mark.parametrize(("held", "doubted"), [(1, False), (2, False), (12, True), (25, True)])
def test_frames_that_are_repeated_are_told_from_new_ones(held: int, doubted: bool) -> None:
    said = doubts([frame(number // held) for number in range(100)])
    assert bool(said) == doubted
    if doubted:
        shown = float(said[0].split("only ")[1].split()[0])
        assert shown == pytest.approx(FPS / held, abs=0.4)


@pytest.mark.parametrize("seconds", [1, 3])
def test_a_picture_that_stands_is_said(seconds: int) -> None:
    frozen = [frame(39)] * (seconds * FPS)
    said = doubts([frame(number) for number in range(40)] + frozen)
    assert bool(said) == (seconds > 2)
    if said:
        assert f"stands still for {seconds}.0 s" in said[0]


def people(change: str) -> list[str]:
    """Return the doubts of a clip of a face that changes in its middle."""
    generator = np.random.default_rng(3)
    mesh = mean_mesh() * 100 + [160, 120, 0]
    one, other = (
        np.asarray(media.resized(generator.integers(40, 220, (12, 16, 3), np.uint8), (320, 240)))
        for _ in range(2)
    )
    if change == "light":
        other = (one * 0.6 + 20).astype(np.uint8)
    elif change == "view":
        other = np.roll(one, 40, axis=1)
    looks = Looks()
    for number in range(80):
        late = number >= 40
        moved = mesh.astype(np.float32)
        moved[:, 0] += 40 * (late and change == "view")
        looks.watch(glimpse(np.roll(other if late else one, number % 2, axis=0), moved))
    return looks.doubts(np.arange(80) / FPS)


def test_somebody_else_after_a_cut_is_said() -> None:
    (said,) = people("person")
    assert said.startswith("Somebody else seems to be shown from 0:01.6 on")


@pytest.mark.parametrize("change", ["light", "view"])
def test_the_same_face_after_a_cut_is_not(change: str) -> None:
    assert people(change) == []


@pytest.mark.usefixtures("home")
def test_doubts_are_said_while_a_clip_is_tracked(tmp_path) -> None:
    frames = [np.roll(media.portrait(), number, axis=1) for number in range(6)]
    path = media.save_video(tmp_path / "slow.mp4", frames, times=[0, 0.5, 1, 1.5, 2, 2.5])
    noting = Noting(_Silent())
    track_video(path, reporter=noting)
    assert noting.notes == [
        "Note: The clip has only 2.0 frames a second: lips move faster than that."
    ]
