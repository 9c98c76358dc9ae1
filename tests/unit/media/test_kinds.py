"""Files of another kind are called what they are."""

import pytest

from stylehead.errors import MediaError
from stylehead.media.audio import open_audio
from stylehead.media.image import read_image
from stylehead.media.kinds import of_another_kind
from stylehead.media.video import count_frames
from tests.stand_ins import media


@pytest.fixture
def files(tmp_path):
    picture = media.resized(media.portrait(), (64, 64))
    return {
        "picture": media.save_picture(tmp_path / "a.png", picture),
        "recording": media.save_sound(tmp_path / "a.wav", media.voice(0.2)),
        "video": media.save_video(tmp_path / "a.mp4", [picture] * 3),
    }


@pytest.mark.parametrize(
    ("given", "read", "said"),
    [
        ("video", read_image, "is a video or a recording, not a picture"),
        ("recording", read_image, "is a recording, not a picture"),
        ("picture", open_audio, "is a picture, not a recording"),
        ("picture", count_frames, "is a picture, not a video"),
    ],
)
def test_a_whole_file_of_another_kind_is_called_what_it_is(files, given, read, said):
    with pytest.raises(MediaError, match=said) as caught:
        read(files[given])
    assert caught.value.remedy.startswith("Give a")


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".gif", ".avif"])
def test_every_common_picture_is_known_for_one(tmp_path, suffix):
    path = media.save_picture(tmp_path / f"a{suffix}", media.portrait())
    assert of_another_kind(path, "picture") is None
    error = of_another_kind(path, "recording")
    assert error is not None and "is a picture, not a recording" in str(error)


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".m4a", ".mp3"])
def test_every_common_recording_is_known_for_one(tmp_path, suffix):
    path = media.save_sound(tmp_path / f"a{suffix}", media.voice(0.2))
    assert of_another_kind(path, "recording") is None
    error = of_another_kind(path, "picture")
    assert suffix == ".mp3" or (error is not None and "a recording, not a picture" in str(error))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\n <!DOCTYPE html><html>", "a web page"),
        (b"<html><body>404", "a web page"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PK\3\4" + bytes(40), "a ZIP archive"),
    ],
)
def test_a_download_that_went_wrong_is_named(tmp_path, content, name):
    path = tmp_path / "face.jpg"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=f"is {name}, not a picture"):
        read_image(path)


def test_what_is_damaged_stays_damaged(tmp_path, files):
    path = tmp_path / "b.png"
    path.write_bytes(files["picture"].read_bytes()[:60])
    with pytest.raises(MediaError, match="not a picture that can be read"):
        read_image(path)
    path.write_bytes(b"only words")
    assert of_another_kind(path, "recording") is None
