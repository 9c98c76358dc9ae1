"""An encoder of hardware is used where it works; where it does not, x264 is, and that is said."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from av.error import ExternalError

from stylehead.errors import ConfigError, MediaError
from stylehead.media.audio import open_audio
from stylehead.media.h264 import H264, HARDWARE, X264
from stylehead.media.muxer import write_video
from stylehead.media.segment import SEGMENT
from stylehead.media.video import read_frames
from stylehead.options import STDOUT, Options, Piped
from stylehead.options.choices import VideoEncoder
from stylehead.pipeline.deliver import check_delivery
from stylehead.pipeline.encoding import name_of_encoder, with_encoder
from stylehead.pipeline.film import Shot, film
from stylehead.progress import SILENT, Noting
from tests.stand_ins import media
from tests.unit.pipeline.test_film import moving, scene

NVENC = VideoEncoder.NVENC
WORKING = H264(name="nvenc", codec="libx264", options={"preset": "ultrafast"}, pixels="nv12")
"""Stands for hardware: other bytes than x264's, and colours in another order."""
ABSENT = H264(name="nvenc", codec="h264_nowhere")
BROKEN = H264(name="nvenc", codec="libx264", options={"preset": "no such one"})
OPEN = H264(name="nvenc", codec="mpeg4", options={"flags": "-global_header"})


@pytest.fixture
def instead(monkeypatch):
    """Put another encoder in NVENC's place."""
    return lambda by: monkeypatch.setitem(HARDWARE, NVENC, by)


def chosen(asked=NVENC, *, output="v.mp4", kept=False, device="cpu"):
    """Return the encoder's name, and what was noted."""
    place = replace(scene(), device=torch.device(device))
    shot, options, noting = (
        Shot(place, [moving(3)]),
        Options(video_encoder=asked),
        Noting(SILENT),
    )
    found = with_encoder(shot, Path(output), options, kept=kept, reporter=noting)
    return found.by.name, noting.notes


def test_one_that_works_is_used_quietly(instead):
    instead(WORKING)
    assert chosen() == ("nvenc", [])


@pytest.mark.parametrize("by", [ABSENT, BROKEN])
def test_one_that_cannot_be_used_is_named_with_the_reason_and_what_takes_its_place(instead, by):
    instead(by)
    name, (said,) = chosen()
    assert name == "x264"
    assert said.startswith("Note: The video encoder nvenc failed (")
    assert "()" not in said and said.endswith("x264 encodes this video instead.")


def test_one_whose_segments_could_not_be_joined_is_not_used(instead):
    instead(OPEN)
    name, (said,) = chosen()
    assert name == "x264" and "no segments that can be joined" in said


def test_segments_that_are_kept_are_made_by_x264_whoever_makes_them(instead):
    instead(WORKING)
    name, (said,) = chosen(kept=True)
    assert name == "x264" and "instead of nvenc" in said


def test_auto_takes_nvenc_beside_a_gpu_alone_and_says_nothing(instead):
    auto = VideoEncoder.AUTO
    instead(WORKING)
    assert chosen(auto) == ("x264", [])
    assert chosen(auto, device="cuda") == ("nvenc", [])
    assert chosen(auto, device="cuda", kept=True) == ("x264", [])
    instead(ABSENT)
    assert chosen(auto, device="cuda") == ("x264", [])


def test_nothing_is_tried_where_no_segments_are_made(instead):
    instead(ABSENT)
    assert chosen(VideoEncoder.AUTO, output="v.webm", device="cuda") == ("x264", [])


@pytest.mark.parametrize(
    ("output", "more"),
    [("v.webm", {}), ("v.gif", {}), ("pictures/", {}), ("v.mkv", {"encoder_args": "-c:v hap"})],
)
def test_it_is_refused_where_it_would_change_nothing(tmp_path, output, more):
    place = f"{tmp_path}/{output}"
    check_delivery(place, Options(**more))
    for asked in (NVENC, VideoEncoder.X264):
        with pytest.raises(ConfigError, match="--video-encoder changes nothing"):
            check_delivery(place, Options(video_encoder=asked, **more))


def test_every_video_says_what_encoded_it(instead):
    instead(WORKING)
    shot = Shot(scene(), [moving(3)])
    names = {
        name_of_encoder(shot, Path(output), Options(**more))
        for output, more in [
            ("v.mp4", {}),
            ("v.webm", {}),
            ("v.any", {"encoder_args": "-c:v hap"}),
            (STDOUT, {"format": Piped.MKV}),
            (STDOUT, {"format": Piped.Y4M}),
        ]
    }
    assert names == {"x264", "libvpx-vp9", "ffmpeg", "none"}
    assert name_of_encoder(replace(shot, by=WORKING), Path("v.mp4"), Options()) == "nvenc"


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    return open_audio(media.save_sound(path, media.voice(1.0)))


def written(path, shot, segments, voice):
    fps = shot.motions[0].fps
    write_video(path, segments, size=shot.size, fps=fps, sound=voice, metadata={}, by=shot.by)
    return list(read_frames(path))


def test_its_segments_are_joined_and_show_what_x264_shows(tmp_path, voice):
    shots = [Shot(scene(), [moving(SEGMENT + 9)], by=by) for by in (X264, WORKING)]
    films = [list(film(shot, workers=2)) for shot in shots]
    assert films[0][0].data != films[1][0].data
    one, other = (
        written(tmp_path / f"{number}.mp4", shot, made, voice)
        for number, (shot, made) in enumerate(zip(shots, films, strict=True))
    )
    assert len(one) == len(other) == SEGMENT + 9
    for left, right in zip(one[::25], other[::25], strict=True):
        assert left.pixels == pytest.approx(right.pixels, abs=24)
        assert abs(left.pixels.mean() - right.pixels.mean()) < 1.5


def test_segments_with_other_parameters_are_not_joined_to_a_video_nobody_can_play(tmp_path, voice):
    shot = Shot(scene(), [moving(9)], by=WORKING)
    other = replace(WORKING, options={"preset": "slow", "profile": "high"})
    strange = list(film(replace(shot, by=other), workers=1))
    with pytest.raises(MediaError, match="nvenc changes its parameters"):
        written(tmp_path / "v.mp4", shot, strange, voice)
    assert not list(tmp_path.iterdir())


def test_hardware_that_fails_later_on_is_an_error_with_a_way_out(monkeypatch):
    from stylehead.media import segment as module

    shot = Shot(scene(), [moving(9)], by=WORKING)
    keep = module.SegmentEncoder._keep

    def failing(self, packets):
        if self._frames > 4:
            raise ExternalError(1, "the session is lost")
        keep(self, packets)

    monkeypatch.setattr(module.SegmentEncoder, "_keep", failing)
    with pytest.raises(MediaError, match="session is lost") as failure:
        list(film(shot, workers=2))
    assert "--video-encoder x264" in failure.value.remedy
    with pytest.raises(ExternalError):  # x264's own failures are told apart elsewhere
        list(film(replace(shot, by=X264), workers=1))
