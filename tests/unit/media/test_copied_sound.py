"""Sound is copied where that changes nothing but how good it is, and encoded everywhere else."""

from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from stylehead.media.audio import open_audio
from stylehead.media.copied_sound import packets_of
from stylehead.media.formats import GIF, MATROSKA, MOV, MP4, PRORES, WEBM
from stylehead.media.muxer import write_video
from stylehead.media.segment import EncoderPicture, SegmentEncoder
from stylehead.media.stream import write_stream
from tests.stand_ins import media

FPS, SIDE, SECONDS = Fraction(10), 64, 2.3
RATE = 44_100


def stereo(rate=RATE, seconds=SECONDS):
    """Noise in the rhythm of speech, another one on the right."""
    sides = [media.bursts(seconds, rate, seed=seed) for seed in (0, 1)]
    return np.stack(sides, 1) * np.float32(0.5)


def encoded(path, codec, container, *, rate=RATE, layout="stereo", late=0.0, **more):
    """Write a recording by an encoder of FFmpeg; `more` goes to the container."""
    with av.open(str(path), "w", format=container, **more) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        channels = stream.codec_context.channels
        rows = np.ascontiguousarray(np.tile(stereo(rate), 4)[:, :channels].T)
        frame = av.AudioFrame.from_ndarray(rows, "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, round(late * rate), Fraction(1, rate)
        wanted = stream.codec_context.format.name
        file.mux(stream.encode(*av.AudioResampler(wanted, layout, rate).resample(frame)))
        file.mux(stream.encode(None))
    return path


def written(path, subtype):
    rate = 48_000 if subtype == "OPUS" else RATE
    soundfile.write(path, stereo(rate), rate, subtype=subtype)
    return path


def as_video(path):
    frames = [np.zeros((64, 64, 3), np.uint8)] * 58
    return media.save_video(path, frames, sound=media.bursts(SECONDS, RATE), rate=RATE)


SOURCES = {
    "mp3": lambda at: written(at / "a.mp3", "MPEG_LAYER_III"),
    "aac": lambda at: encoded(at / "a.m4a", "aac", "ipod"),
    "aac at 48 kHz": lambda at: encoded(at / "a.m4a", "aac", "ipod", rate=48_000, layout="mono"),
    "aac in Matroska": lambda at: encoded(at / "a.mka", "aac", "matroska"),
    "aac of a video": lambda at: as_video(at / "a.mp4"),
    "adts": lambda at: encoded(at / "a.aac", "aac", "adts"),
    "aac 5.1": lambda at: encoded(at / "a.m4a", "aac", "ipod", layout="5.1"),
    "alac": lambda at: encoded(at / "a.m4a", "alac", "ipod"),
    "flac": lambda at: written(at / "a.flac", "PCM_16"),
    "vorbis": lambda _: media.VOICE,
    "opus": lambda at: written(at / "opus.ogg", "OPUS"),
    "opus in WebM": lambda at: encoded(at / "a.webm", "libopus", "webm", rate=48_000),
}
COPIED = [
    *(("mp3", kind) for kind in (MP4, MOV, MATROSKA)),
    *(("aac", kind) for kind in (MP4, MOV, MATROSKA)),
    *((name, MP4) for name in SOURCES if name.startswith("aac ")),
    *((name, MATROSKA) for name in SOURCES if name.startswith("aac ")),
    ("alac", MOV),
    ("flac", MATROSKA),
    *((name, kind) for name in ("vorbis", "opus", "opus in WebM") for kind in (MATROSKA, WEBM)),
]
ENCODED = [
    ("adts", MP4),
    ("alac", MP4),
    ("alac", MATROSKA),
    ("flac", MP4),
    ("opus", MP4),
    ("mp3", WEBM),
]


def recording(tmp_path, name):
    return open_audio(SOURCES[name](tmp_path))


def film(path, sound, kind, packets):
    """Write a grey video of the recording's length."""
    frames = [np.full((SIDE, SIDE, 3), 90, np.uint8)] * int(np.ceil(sound.seconds * FPS))
    more = {"size": (SIDE, SIDE), "fps": FPS, "sound": sound, "metadata": {}, "packets": packets}
    if not kind.segmented:
        write_stream(path, iter(frames), kind, **more)
        return path
    encoder = SegmentEncoder(SIDE, SIDE, FPS)
    for frame in frames:
        encoder.add(EncoderPicture(frame))
    write_video(path, [encoder.finish()], kind=kind, **more)
    return path


def heard(path, rate=48_000):
    """Return the sound of a file at 48 kHz, and the times at which sound and picture begin."""
    samples = media.read_sound(path, rate)
    first = {}
    for kind in ("audio", "video"):
        with av.open(str(path)) as container:
            first[kind] = next(container.decode(**{kind: 0})).time
    return samples, first


def lengths(path):
    """Return the seconds of a file's sound and picture, as its container says them."""
    with av.open(str(path)) as container:
        last = {}
        for packet in container.demux():
            if packet.size:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                last[packet.stream.type] = max(end, last.get(packet.stream.type, 0))
        return last


@pytest.mark.parametrize(("name", "kind"), COPIED, ids=lambda one: getattr(one, "name", one))
def test_copied_sound_is_the_recording_s_at_its_time_and_length(tmp_path, name, kind):
    sound = recording(tmp_path, name)
    packets = packets_of(sound, kind)
    assert packets is not None
    ending = kind.endings[0]
    copied = film(tmp_path / f"copied{ending}", sound, kind, packets)
    again = film(tmp_path / f"again{ending}", sound, kind, None)
    assert codec_of(copied) == codec_of(sound.path)
    (one, begins), (other, began) = heard(copied), heard(again)
    assert begins["video"] == began["video"] == 0 and abs(begins["audio"]) < 0.001
    late, alike = media.lag(other, one, 48_000)
    assert abs(late) <= 0.001 and alike > 0.95
    late, alike = media.lag(np.concatenate(list(sound.blocks(48_000))), one, 48_000)
    mixed = "5.1" in name  # by other weights
    assert abs(late) <= 0.001 and alike > (0.98 if mixed else 0.9999)  # nothing was lost
    ends, ended = lengths(copied), lengths(again)
    assert ends["video"] == ended["video"]
    assert ends["audio"] == pytest.approx(sound.seconds, abs=0.03)  # Matroska counts the warm-up
    assert ends["audio"] <= max(ended["audio"], ended["video"]) + 0.03


def codec_of(path):
    with av.open(str(path)) as container:
        return container.streams.audio[0].codec_context.codec.canonical_name


@pytest.mark.parametrize("kind", [MP4, MATROSKA], ids=lambda kind: kind.name)
@pytest.mark.parametrize("name", ["mp3", "aac"])
def test_the_packets_themselves_are_the_recording_s(tmp_path, name, kind):
    sound = recording(tmp_path, name)
    video = film(tmp_path / f"v{kind.endings[0]}", sound, kind, packets_of(sound, kind))

    def packets(path):
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert packets(video) == packets(sound.path)


@pytest.mark.parametrize("kind", [MP4, MATROSKA], ids=lambda kind: kind.name)
def test_the_same_recording_gives_the_same_bytes(tmp_path, kind):
    sound = recording(tmp_path, "mp3")
    packets = packets_of(sound, kind)
    one, other = (
        film(tmp_path / f"{name}{kind.endings[0]}", sound, kind, packets) for name in "ab"
    )
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(("name", "kind"), ENCODED, ids=lambda one: getattr(one, "name", one))
def test_what_a_format_does_not_hold_or_players_do_not_play_is_encoded(tmp_path, name, kind):
    assert packets_of(recording(tmp_path, name), kind) is None


@pytest.mark.parametrize("kind", [GIF, PRORES], ids=lambda kind: kind.name)
def test_nothing_is_copied_into_what_is_silent_or_for_editors(tmp_path, kind):
    assert packets_of(recording(tmp_path, "aac"), kind) is None


@pytest.mark.parametrize("part", [{"start": 0.5}, {"duration": 1.0}])
def test_a_part_of_a_recording_is_encoded(tmp_path, part):
    path = SOURCES["mp3"](tmp_path)
    assert packets_of(open_audio(path), MP4)
    assert packets_of(open_audio(path, **part), MP4) is None


def test_vorbis_whose_time_stamps_jump_is_encoded(tmp_path):
    path = written(tmp_path / "a.ogg", "VORBIS")
    assert packets_of(open_audio(path), MATROSKA) is None


def test_channels_that_are_mixed_are_encoded(tmp_path):
    path = encoded(tmp_path / "a.flac", "flac", "flac", layout="5.1(side)")
    assert packets_of(open_audio(path), MATROSKA) is None


def test_a_track_that_begins_after_its_picture_is_encoded(tmp_path):
    frames = [np.zeros((64, 64, 3), np.uint8)] * 30
    path = media.save_video(tmp_path / "a.mp4", frames, sound=media.bursts(1.0), late=0.3)
    assert packets_of(open_audio(path), MP4) is None


def test_a_hole_in_the_time_stamps_is_encoded(tmp_path):
    path, hole = SOURCES["aac"](tmp_path), tmp_path / "hole.mka"
    with av.open(str(path)) as source, av.open(str(hole), "w", format="matroska") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.pts += RATE // 2 if packet.pts > RATE else 1024
                packet.dts, packet.stream = packet.pts, stream
                target.mux(packet)
    assert packets_of(open_audio(hole), MP4) is None


@pytest.mark.parametrize(("rate", "channels"), [(22_050, 2), (44_100, 1), (16_000, 2)])
def test_a_recording_that_changes_its_kind_on_the_way_is_encoded(tmp_path, rate, channels):
    parts = [tmp_path / "one.mp3", tmp_path / "two.mp3"]
    soundfile.write(parts[0], stereo(), RATE)
    soundfile.write(parts[1], stereo(rate)[:, :channels], rate)
    both = tmp_path / "both.mp3"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert packets_of(open_audio(both), MATROSKA) is None


def test_recordings_of_opus_behind_each_other_are_encoded(tmp_path):
    path = SOURCES["opus"](tmp_path)
    path.write_bytes(
        path.read_bytes()
        + encoded(tmp_path / "b.opus", "libopus", "ogg", rate=48_000, layout="mono").read_bytes()
    )
    assert packets_of(open_audio(path), MATROSKA) is None


def test_a_recording_with_a_damaged_tail_is_encoded(tmp_path):
    path = SOURCES["aac"](tmp_path)
    content = bytearray(path.read_bytes())
    begins = content.index(b"mdat") + 4
    middle = begins + (len(content) - begins) // 3
    content[middle : middle + 4000] = b"\xff" * 4000
    path.write_bytes(content)
    assert packets_of(open_audio(path), MP4) is None


def test_mp3_of_a_telephone_s_rate_is_encoded_for_mp4(tmp_path):
    path = tmp_path / "a.mp3"
    soundfile.write(path, media.bursts(SECONDS, 8000), 8000)
    sound = open_audio(path)
    assert packets_of(sound, MP4) is None and packets_of(sound, MATROSKA)
