"""What a recording or clip may not do to whoever opens it."""

import re

import av
import numpy as np
import pytest
from av.error import ArgumentError

from stylehead.errors import MediaError
from stylehead.media import bounds
from stylehead.media.audio import open_audio
from stylehead.media.container import film_track, open_container
from stylehead.media.image import read_image
from stylehead.media.video import read_frames
from tests.stand_ins import media

LISTS = {
    "concat": "ffconcat version 1.0\nfile secret.wav\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9.0,\nsecret.wav\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("suffix", [".wav", ".m3u8", ".mp4"])
def test_no_file_that_a_file_names_is_opened(tmp_path, kind, suffix):
    secret = media.save_sound(tmp_path / "secret.wav", media.voice(1))
    path = tmp_path / f"list{suffix}"
    path.write_text(LISTS[kind])
    for read in (open_audio, lambda path: next(read_frames(path))):
        with pytest.raises(MediaError, match=re.escape(path.name)):
            read(path)
    assert open_audio(secret).seconds == pytest.approx(1)


@pytest.mark.parametrize("suffix", [".eps", ".png", ".jpg"])
def test_no_program_is_run_for_a_picture(tmp_path, monkeypatch, suffix):
    from PIL import EpsImagePlugin

    path = tmp_path / f"picture{suffix}"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("it was run"))
    with pytest.raises(MediaError, match="not a picture"):
        read_image(path)


def overwritten(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


def test_a_sound_without_a_decoder_is_refused(tmp_path):
    path = media.save_sound(tmp_path / "a.m4a", media.voice(1))
    overwritten(overwritten(path, b"mp4a", b"xxxx"), b"esds", b"xxxx")
    with pytest.raises(MediaError, match=r"damaged or not a recording"):
        open_audio(path)


@pytest.mark.parametrize("channels", [0, 255])
def test_a_sound_of_a_senseless_number_of_channels_is_refused(tmp_path, channels):
    path = media.save_sound(tmp_path / "a.ogg", media.voice(1))
    head = b"\x01vorbis" + bytes(4)
    content = bytearray(path.read_bytes())
    content[content.index(head) + len(head)] = channels
    from tests.fuzz.mutations import ogg_checked

    path.write_bytes(ogg_checked(bytes(content)))
    with pytest.raises(MediaError, match=r"damaged or not a recording"):
        open_audio(path)


def test_frames_of_too_many_pixels_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    path = media.save_video(tmp_path / "a.mp4", [media.landscape()] * 3)
    assert next(read_frames(path)).pixels.shape == (240, 320, 3)
    monkeypatch.setattr("stylehead.media.container.MOST_FRAME_PIXELS", 320 * 240 - 1)
    monkeypatch.setattr(av.VideoStream, "decode", lambda *_: pytest.fail("decoded"), raising=False)
    with pytest.raises(MediaError, match="320 x 240 pixels a frame"):
        next(read_frames(path))


def test_frames_that_grow_later_are_not_decoded(tmp_path, monkeypatch):
    path = media.save_video(tmp_path / "a.mp4", [media.landscape()] * 3)
    with open_container(path, "video") as container:
        stream = film_track(path, container)
        assert stream is not None
        # As if the container had said less than the frames then have.
        monkeypatch.setattr("stylehead.media.container.MOST_FRAME_PIXELS", 320 * 240)
        assert film_track(path, container) is stream
        stream.codec_context.options = {"max_pixels": str(320 * 240 - 1)}
        with pytest.raises(ArgumentError):
            next(container.decode(stream))
        again = film_track(path, container)
        assert again is not None
        assert again.codec_context.options["max_pixels"] == str(320 * 240)


def test_eight_k_is_no_bomb():
    assert bounds.MOST_FRAME_PIXELS >= 7680 * 4320
    assert np.prod((9504, 6336)) <= bounds.MOST_PIXELS  # a camera of 60 million pixels
