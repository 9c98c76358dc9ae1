"""Segments are closed, keep their frames in order, and show the colours they were given."""

import hashlib
from fractions import Fraction

import av
import numpy as np
import pytest

from stylehead.media.audio import open_audio
from stylehead.media.muxer import write_video
from stylehead.media.segment import SEGMENT, EncoderPicture, Segment, SegmentEncoder
from stylehead.media.video import read_frames
from tests.stand_ins import media

FPS = Fraction(30)
SIDE = 64


def frame(number, side=SIDE):
    """A picture that tells its number by its brightness, with a square that moves."""
    pixels = np.full((side, side, 3), 40 + number % 160, np.uint8)
    at = number % (side - 8)
    pixels[8:16, at : at + 8] = (200, 40, 60)
    return pixels


def segment(numbers):
    encoder = SegmentEncoder(SIDE, SIDE, FPS)
    picture = EncoderPicture(frame(0))
    for number in numbers:
        picture.draw(frame(number), 0, 0)
        encoder.add(picture)
    return encoder.finish()


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    return open_audio(media.save_sound(path, media.voice(3.0)))


def written(path, segments, voice, **more):
    frames = write_video(
        path, segments, size=(SIDE, SIDE), fps=FPS, sound=voice, metadata={}, **more
    )
    return frames, list(read_frames(path))


def test_segments_laid_together_show_every_frame_once_in_order(tmp_path, voice):
    parts = [range(40), range(40, 45), range(45, 90)]
    count, frames = written(tmp_path / "out.mp4", [segment(part) for part in parts], voice)
    assert count == len(frames) == 90
    for number, shown in enumerate(frames):
        assert shown.seconds == pytest.approx(number / 30, abs=1e-4)
        assert shown.pixels[40:, :].mean() == pytest.approx(40 + number, abs=2.5)


def test_every_segment_begins_anew_so_it_can_be_decoded_alone(tmp_path, voice):
    parts = [segment(range(30)), segment(range(30, 60))]
    (first, second), alone = parts, tmp_path / "alone.mp4"
    assert first.table[0, 3] == second.table[0, 3] == 1
    _, frames = written(alone, [second], voice)
    assert frames[0].pixels[40:].mean() == pytest.approx(70, abs=2.5)


def test_a_segment_survives_being_stored():
    made = segment(range(20))
    found = Segment.from_bytes(made.to_bytes())
    assert (found.frames, found.data) == (made.frames, made.data)
    np.testing.assert_array_equal(found.table, made.table)


def test_the_same_frames_give_the_same_bytes():
    one, other = (hashlib.sha256(segment(range(25)).data).digest() for _ in range(2))
    assert one == other


def test_bytes_do_not_depend_on_what_memory_held_before():
    """Rows of macroblocks that fill no vector, in an encoder whose memory was used by others."""
    width, rng = 200, np.random.default_rng(0)
    noise = media.resized(rng.integers(0, 256, (12, 40, 3), np.uint8), (width + 30, 174))
    noise[:, : width // 3] = 128
    pictures = [
        EncoderPicture(np.ascontiguousarray(noise[3 * t :, 2 * t :][:144, :width]))
        for t in range(10)
    ]
    found = set()
    for _ in range(20):
        used = [rng.integers(0, 256, size, np.uint8) for size in rng.integers(64, 400_000, 40)]
        del used
        encoder = SegmentEncoder(width, 144, Fraction(25))
        for picture in pictures:
            encoder.add(picture)
        found.add(encoder.finish().data)
    assert len(found) == 1


def test_a_full_segment_needs_no_second_key_frame():
    made = segment([0] * SEGMENT)
    assert made.frames == SEGMENT
    assert made.table[:, 3].sum() == 1


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)])
def test_colours_are_those_of_the_picture(colour):
    picture = EncoderPicture(np.full((16, 20, 3), colour, np.uint8))
    shown = picture.frame.reformat(
        format="rgb24", src_colorspace="ITU709", src_color_range="MPEG", dst_color_range="JPEG"
    ).to_ndarray()
    assert np.abs(shown.astype(int) - colour).max() <= 3


@pytest.mark.parametrize("height", [32, 34])
def test_colours_lie_where_brightness_does_whatever_the_height(height):
    whole = np.full((height, 22, 3), 128, np.uint8)
    whole[height - 8 :, :10] = (200, 40, 40)
    made = EncoderPicture(whole).frame
    assert (made.width, made.height) == (22, height)
    planes = made.to_ndarray()
    bluish, reddish = planes[height:].reshape(2, height // 2, 11)
    red = np.zeros((height // 2, 11), bool)
    red[height // 2 - 4 :, :5] = True
    np.testing.assert_array_equal(reddish > 140, red)
    np.testing.assert_array_equal(bluish < 120, red)
    np.testing.assert_array_equal(planes[:height:2, ::2] < 100, red)


def test_drawing_a_part_leaves_the_rest_of_the_picture():
    whole = np.random.default_rng(0).integers(0, 255, (32, 48, 3)).astype(np.uint8)
    picture, changed = EncoderPicture(whole), whole.copy()
    changed[6:20, 10:31] = 90
    picture.draw(changed[6:20, 10:32], 6, 10)
    np.testing.assert_array_equal(
        picture.frame.to_ndarray(), EncoderPicture(changed).frame.to_ndarray()
    )


def test_an_odd_side_loses_its_last_pixels():
    picture = EncoderPicture(np.zeros((33, 47, 3), np.uint8))
    picture.draw(np.full((13, 17, 3), 255, np.uint8), 20, 30)
    assert (picture.frame.width, picture.frame.height) == (46, 32)
    assert av.VideoFrame.to_ndarray(picture.frame)[31, 45] == 235
