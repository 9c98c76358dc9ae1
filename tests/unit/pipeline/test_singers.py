"""Who sings what: --sing and --cues put together, and how faces that only look on move."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stylehead.errors import ConfigError, FaceError, MediaError, StyleError
from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.face.landmarks import mouth_opening
from stylehead.media.cues import Cue
from stylehead.motion.gestures.contour import mouth_contour
from stylehead.options import Options
from stylehead.pipeline.singers import (
    find_faces,
    perform,
    tell_of_old,
)
from stylehead.pipeline.song import Song, files_of, open_song, within
from stylehead.style.mix import as_mix, mix_styles
from stylehead.types import Portrait
from tests.stand_ins import media
from tests.stand_ins.faces import RememberingReporter, drawn_portrait, make_style, predictor

SECONDS = 6.0
FPS = 20
MIX = as_mix(make_style())
FRAMES = round(SECONDS * FPS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with a mix of two voices, and each of them: one early, one late."""
    monkeypatch.chdir(tmp_path)
    voice = media.voice(SECONDS)
    early, late = voice.copy(), voice.copy()
    early[len(voice) // 2 :] = 0
    late[: len(voice) // 2] = 0
    for name, samples in {"mix": voice, "early": early, "late": late, "none": 0 * voice}.items():
        media.save_sound(tmp_path / f"{name}.wav", samples)
    return tmp_path


def song(*sing: str, lyrics: str | None = None, name: str = "song.lrc", **how: object) -> Song:
    cues = None
    if lyrics is not None:
        cues = Path(name)
        cues.write_text(lyrics, encoding="utf-8")
    options = Options(sing=list(sing) or None, cues=cues, fps=FPS, **how)
    return open_song(Path("mix.wav"), MIX, options)


def people(count: int) -> list[Portrait]:
    """Faces from left to right on one picture of 900 pixels."""
    places = (np.arange(count) + 0.5) / count
    return [
        replace(
            drawn_portrait(side=900, unit=0.06, place=(float(place), 0.5)),
            number=number,
            count=count,
        )
        for number, place in enumerate(places, 1)
    ]


def performed(song: Song, count: int = 2, **how: object):
    models, reporter = predictor(), RememberingReporter()
    options = Options(fps=FPS, **how)
    takes = perform(
        song, people(count), models.listener, models.networks, options=options, reporter=reporter
    )
    return takes, [line for line in reporter.said if "older version" not in line]


def openings(takes) -> np.ndarray:
    """How far mouths are open (F, T), interocular, beyond their rest."""
    motions = [take.motion for take in takes]
    return np.array(
        [mouth_opening(m.landmarks + m.neutral) - mouth_opening(m.neutral) for m in motions]
    )


def yaw(take) -> np.ndarray:
    return angles_from_rotation(take.motion.rotation)[:, 1]


# ---- what is asked for ----------------------------------------------------------------------


def test_a_face_has_a_stem_and_a_style(folder):
    found = song("2=late.wav:lively", "1=early.wav")
    assert [(one.face, str(one.stem), one.mix.name) for one in found.singers] == [
        (1, "early.wav", "made up"),
        (2, "late.wav", "lively"),
    ]
    assert found.faces == [1, 2]


@pytest.mark.parametrize("name", [r"C:\songs\lead.wav", "a:b.wav", "a:lively", "c=d.wav"])
def test_a_stem_may_have_colons_in_its_name(folder, name):
    (folder / "early.wav").rename(folder / name)
    for asked, style in ((f"1={name}", "made up"), (f"1={name}:lively", "lively")):
        (singer,) = song(asked).singers
        assert (str(singer.stem), singer.mix.name) == (name, style)


def test_a_style_may_be_on_a_drive(folder):
    with pytest.raises(StyleError, match=re.escape(r"D:\no.style")):
        song(r"1=early.wav:D:\no.style")


@pytest.mark.parametrize("name", [r"C:\no.wav", "no.wav"])
def test_a_stem_that_is_not_there_is_named_without_its_style(folder, name):
    for style in ("", ":lively", ":C:\\a.style"):
        with pytest.raises(MediaError, match=rf"^{re.escape(name)} does not exist"):
            song(f"1={name}{style}")


@pytest.mark.parametrize(
    "asked",
    [
        *("early.wav", "0=early.wav", "-1=early.wav", "one=early.wav", "1="),
        pytest.param(f"{'9' * 5000}=early.wav", id="more digits than Python reads"),
    ],
)
def test_a_singer_without_number_or_stem_is_refused(folder, asked):
    with pytest.raises(ConfigError, match="does not give a face a stem") as caught:
        song(asked)
    assert "N=STEM" in caught.value.remedy


@pytest.mark.parametrize(
    ("sing", "how", "said"),
    [
        (("1=early.wav", "1=late.wav"), {}, "Face 1 has two stems"),
        (("1=early.wav",), {"face": 1}, "--face shows one face"),
        (("1=early.wav",), {"crop": True}, "--crop shows one face"),
        ((), {"face": 1, "lyrics": "[00:01]2: la"}, "--face shows one face"),
        (("1=early.wav",), {"vocals": Path("late.wav")}, "--vocals moves no face"),
    ],
)
def test_choices_that_exclude_each_other_are_refused(folder, sing, how, said):
    with pytest.raises(ConfigError, match=said) as caught:
        song(*sing, **how)
    assert caught.value.remedy


def test_a_stem_of_another_length_is_refused_unless_it_is_said_where_it_begins(folder):
    media.save_sound(folder / "short.wav", media.voice(3.0))
    with pytest.raises(MediaError, match=r"0\.5 s shorter") as caught:
        song("1=short.wav")
    assert "--vocals-offset" in caught.value.remedy
    (singer,) = song("1=short.wav", vocals_offset=1.0).singers
    assert (singer.sound.lead, singer.sound.seconds) == (1.0, SECONDS)


def test_faces_that_lyrics_name_sing_what_all_listen_to(folder):
    lyrics = "[00:01]1: la\n[00:02]3: lo\n"
    found = song("3=late.wav", lyrics=lyrics)
    assert [(one.face, one.sound.path.name) for one in found.singers] == [
        (1, "mix.wav"),
        (3, "late.wav"),
    ]
    alone = song(lyrics=lyrics, vocals=Path("early.wav"))
    assert [one.sound.path.name for one in alone.singers] == ["early.wav", "early.wav"]
    assert alone.singers[0].sound is alone.singers[1].sound, "it is listened to once"
    assert song(lyrics="[00:01]la\n").faces == []


def test_lines_open_the_mouths_of_those_who_sing_them(folder):
    lyrics = "[00:01]1: la\n[00:02]\n[00:03]both\n[00:04]\n"
    opened = [song(lyrics=lyrics).opened(face, FRAMES, Fraction(FPS)) for face in (1, 2)]
    times = np.arange(FRAMES) / FPS
    for curve, lines in zip(opened, ([(1, 2), (3, 4)], [(3, 4)]), strict=True):
        assert curve is not None
        inside = np.any([(times >= a) & (times <= b) for a, b in lines], axis=0)
        near = np.any([(times > a - 0.25) & (times < b + 0.25) for a, b in lines], axis=0)
        assert (curve[inside] == 1).all()
        assert (curve[~near] == 0).all()
        assert np.abs(np.diff(curve)).max() < 0.8, "and not at one blow"


def test_a_part_of_the_song_has_its_lines(folder):
    found = song(lyrics="[00:01]1: la\n[00:04]1: lo\n[00:05]\n", start=3.0, duration=2.5)
    assert [(cue.text, cue.start, cue.end) for cue in found.cues] == [
        ("la", 0.0, 1.0),
        ("lo", 1.0, 2.0),
    ]


def test_a_face_that_no_line_names_follows_its_stem(folder):
    found = song("1=early.wav", "2=late.wav", lyrics="[00:01]1: la\n")
    assert found.opened(1, FRAMES, Fraction(FPS)) is not None
    assert found.opened(2, FRAMES, Fraction(FPS)) is None


# ---- how they move --------------------------------------------------------------------------


def test_each_mouth_follows_its_own_stem(folder):
    takes, said = performed(song("1=early.wav", "2=late.wav"))
    early, late = openings(takes)
    middle = FRAMES // 2
    margin = round(0.4 * FPS)
    assert early[: middle - margin].max() > 0.05
    assert late[middle + margin :].max() > 0.05
    assert np.abs(early[middle + margin :]).max() < 0.02
    assert np.abs(late[: middle - margin]).max() < 0.02
    assert [line.split(":")[0] for line in said] == ["Face 1", "Face 2"]


def test_one_voice_serves_two_faces_by_their_lines(folder):
    lyrics = "[00:00]1: la\n[00:03]2: lo\n"
    takes, said = performed(song(lyrics=lyrics))
    one, two = openings(takes)
    times = np.arange(FRAMES) / FPS
    assert one[times < 2.7].max() > 0.05
    assert two[times > 3.3].max() > 0.05
    assert np.abs(one[times > 3.25]).max() < 0.02
    assert np.abs(two[times < 2.75]).max() < 0.02
    assert len(said) == 1
    assert said[0].startswith("Face 1 and face 2: A voice")


def test_a_face_without_a_song_rests_and_turns_to_who_sings(folder):
    (one, two, three), _ = performed(song("2=mix.wav"), 3, seed=3)
    still, _ = performed(song("2=none.wav"), 3, seed=3)
    assert np.abs(openings([one, three])).max() == 0
    assert one.motion.blink.max() > 0.9, "it blinks"
    assert np.ptp(angles_from_rotation(one.motion.rotation), axis=0).max() > 0.3, (
        "it moves a little"
    )
    turns = [yaw(take) - yaw(other) for take, other in zip((one, two, three), still, strict=True)]
    assert 2 < turns[0].max() < 10, "to the right of the picture"
    assert -10 < turns[2].min() < -2, "to its left"
    for turn in turns:
        assert np.abs(turn[[0, -1]]).max() < 0.01, "and begins and ends as in the picture"
    assert one.motion.gaze[:, 0].mean() > still[0].motion.gaze[:, 0].mean() + 0.5


def test_heads_that_are_kept_still_do_not_turn(folder):
    takes, _ = performed(song("2=mix.wav"), still=True)
    np.testing.assert_allclose(yaw(takes[0]), 0, atol=1e-4)


def test_a_silent_stem_rests_and_that_is_said(folder):
    takes, said = performed(song("1=none.wav", "2=mix.wav"))
    assert np.abs(openings(takes[:1])).max() == 0
    assert takes[0].facts(1) == {
        "face": 1, "sound": "none.wav", "style": "made up", "voice_fraction": 0.0
    }  # fmt: skip
    assert "none.wav is silent: face 1 rests." in said


def test_two_faces_do_not_move_alike(folder):
    takes, _ = performed(song("1=mix.wav", "2=mix.wav"))
    one, two = (take.motion for take in takes)
    np.testing.assert_allclose(one.landmarks[:, 66], two.landmarks[:, 66], atol=1e-6)
    assert np.abs(one.rotation - two.rotation).max() > 0.005
    assert (one.blink != two.blink).any()


def test_one_singer_alone_moves_as_with_vocals(folder):
    options = Options(fps=FPS)
    (take,), _ = performed(song("1=early.wav"), 1)
    (plain,), said = performed(song(vocals=Path("early.wav")), 1)
    for name in ("landmarks", "rotation", "translation", "blink", "gaze"):
        np.testing.assert_array_equal(getattr(take.motion, name), getattr(plain.motion, name))
    assert said[0].startswith("A voice in")
    assert options.seed == 0


# ---- the picture ----------------------------------------------------------------------------


def test_faces_that_sing_must_be_in_the_picture_and_others_may_be_small(folder):
    image = media.save_picture(folder / "two.png", media.two_faces(220, 140))
    with pytest.raises(FaceError, match="2 faces, so there is no face 3") as caught:
        find_faces(image, [3], Options(), RememberingReporter())
    assert "--sing" in caught.value.remedy
    with pytest.raises(FaceError, match="too small"):
        find_faces(image, [2], Options(), RememberingReporter())
    reporter = RememberingReporter()
    (portrait,) = find_faces(image, [1], Options(), reporter)
    assert (portrait.number, portrait.count) == (1, 2)
    assert any("too small" in line and "stays still" in line for line in reporter.said)


def test_a_crop_that_goes_on_beyond_the_picture_is_told(folder: Path) -> None:
    def told(name: str, options: Options) -> list[str]:
        reporter = RememberingReporter()
        find_faces(folder / name, [], options, reporter)
        return [line for line in reporter.said if "square around the face" in line]

    media.save_picture(folder / "whole.png", media.portrait())
    face = media.resized(media.portrait()[62:186, 172:278], (600, 701))
    media.save_picture(folder / "tight.png", face)
    (line,) = told("tight.png", Options(crop=True))
    share = re.search(r"Note: (\d+)% of the square around the face lies beyond tight\.png", line)
    assert share and 30 < int(share[1]) < 50
    assert not told("tight.png", Options())
    assert not told("whole.png", Options(crop=True))


# ---- the matte ------------------------------------------------------------------------------


def oval(shape: tuple[int, int]) -> np.ndarray:
    """Return a matte: an oval around the head of the portrait of tests."""
    y, x = np.indices(shape)
    return np.where(np.hypot(y - 0.2 * shape[0], x - 0.45 * shape[1]) < 90, 255, 0)


@pytest.mark.parametrize("kind", ["grey", "transparent", "own"])
def test_the_matte_is_the_users(folder: Path, kind: str) -> None:
    from PIL import Image

    pixels = media.portrait()
    matte = oval(pixels.shape[:2]).astype(np.uint8)
    image = media.save_picture(folder / "me.png", pixels)
    cut = Image.fromarray(pixels)
    cut.putalpha(Image.fromarray(matte))
    options = Options(matte=folder / "matte.png")
    if kind == "grey":
        media.save_picture(folder / "matte.png", matte)
    elif kind == "transparent":
        cut.save(folder / "matte.png")
    else:
        cut.save(image)
        options = Options()
    (portrait,) = find_faces(image, [], options, RememberingReporter())
    assert portrait.matte is not None
    near = np.s_[60:180, 150:330]
    np.testing.assert_array_equal(portrait.matte[near], matte[near])
    (found,) = find_faces(
        media.save_picture(folder / "plain.png", pixels), [], Options(), RememberingReporter()
    )
    assert found.matte is not None and (found.matte[near] != matte[near]).any()


def test_a_matte_of_another_size_or_without_the_face_is_refused(folder: Path) -> None:
    image = media.save_picture(folder / "me.png", media.portrait())
    height, width = media.portrait().shape[:2]
    small = media.save_picture(folder / "small.png", np.zeros((height, width - 2), np.uint8))
    with pytest.raises(MediaError, match=rf"small\.png has {width - 2} x {height} pixels"):
        find_faces(image, [], Options(matte=small), RememberingReporter())
    black = media.save_picture(folder / "black.png", np.zeros((height, width), np.uint8))
    with pytest.raises(FaceError, match=r"black\.png leaves out the face"):
        find_faces(image, [], Options(matte=black), RememberingReporter())


def test_the_files_of_a_song_are_its_stems_and_lyrics(tmp_path):
    paths = [tmp_path / name for name in ("low.wav", "high.wav", "words.lrc")]
    for path in paths:
        path.write_bytes(b"x")
    low, high, words = paths
    options = Options(sing=[f"1={low}", f"2={high}:lively"], cues=words)
    assert files_of(options) == [words, low, high]
    assert files_of(Options(vocals=low)) == [low]
    assert files_of(Options(matte=low)) == [low]
    assert files_of(Options()) == []


def test_who_uses_a_style_of_an_older_version_is_told(folder):
    """Its head and brows are moved by chance."""
    old = make_style()
    new = replace(old, name="new", contour=mouth_contour(old.motion))
    reporter = RememberingReporter()
    tell_of_old(mix_styles([(old, 0.5), (new, 0.5)], {}), reporter)
    (note,) = reporter.said
    assert note.startswith("Note: made up was learned by an older version")


def test_lines_of_a_part_are_timed_from_its_beginning():
    lines = [(0, 4), (5, 7), (8, math.inf), (20, 21)]
    cues = [Cue(start=start, end=end, text=str(start)) for start, end in lines]
    found = [(cue.text, cue.start, cue.end) for cue in within(cues, 6.0, 10.0)]
    assert found == [("5", 0.0, 1.0), ("8", 2.0, 10.0)]


def test_a_head_is_held_less_where_the_picture_is_tilted_already(folder):
    style = make_style()
    pose = rotation_from_angles(np.array([0.0, 0.0, 6.0]))
    references = tuple(
        replace(one, rotation=style.motion.rotation[row] @ pose)
        for row, one in enumerate(style.references)
    )
    mix = as_mix(replace(style, references=references))
    options, models = Options(posture=1.0, fps=FPS), predictor()

    def roll(degrees: float) -> float:
        tilt = rotation_from_angles(np.array([0.0, 0.0, degrees]))
        (take,) = perform(
            open_song(Path("mix.wav"), mix, options),
            [replace(people(1)[0], rotation=tilt)],
            models.listener,
            models.networks,
            options=options,
            reporter=RememberingReporter(),
        )
        return float(np.median(angles_from_rotation(take.motion.rotation)[:, 2]))

    assert roll(0.0) > roll(7.0) + 3
