import numpy as np
import pytest
import soundfile

from stylehead.errors import MediaError
from stylehead.media.sound_file import write_sound
from tests.stand_ins import media


@pytest.mark.parametrize("name", ["heard.wav", "heard.flac"])
def test_blocks_become_one_file(tmp_path, name):
    samples, path = 0.9 * media.tone(1.0), tmp_path / name
    write_sound(path, (samples[i : i + 999] for i in range(0, len(samples), 999)), 16_000)
    found, rate = soundfile.read(path, dtype="float32")
    assert rate == 16_000
    np.testing.assert_allclose(found, samples, atol=1e-4)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_what_is_too_loud_is_clipped_and_does_not_wrap_around(tmp_path):
    path = tmp_path / "loud.wav"
    write_sound(path, [np.array([0.5, 1.5, -3.0], np.float32)], 16_000)
    np.testing.assert_allclose(soundfile.read(path)[0], [0.5, 1, -1], atol=1e-4)


def test_a_source_that_fails_leaves_no_file(tmp_path):
    def blocks():
        yield np.zeros(10, np.float32)
        raise MediaError("The recording broke off.", remedy="Get it again.")

    with pytest.raises(MediaError, match="broke off"):
        write_sound(tmp_path / "heard.wav", blocks(), 16_000)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(MediaError, match="cannot be written"):
        write_sound(tmp_path / "no" / "heard.wav", [np.zeros(1, np.float32)], 16_000)
