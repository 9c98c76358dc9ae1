"""stylehead.toml: who says what, and what is wrong with it."""

import logging
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import pytest

from stylehead.batch.rows import Row
from stylehead.cli import settings
from stylehead.cli.jobs import read_request, words_of
from stylehead.cli.make import motion
from stylehead.cli.settings import OF_ONE_RUN, command_of, long_options
from stylehead.cli.video import requested
from stylehead.errors import ConfigError
from stylehead.options import Device, MotionOptions, Options

FACE = {"image": "a.png", "audio": "b.wav"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder, and a user's own file elsewhere."""
    for name in ("here", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(settings, "user_file", lambda: tmp_path / "home" / "stylehead.toml")
    return tmp_path


def here(text: str) -> None:
    Path("stylehead.toml").write_text(text)


def home(folder: Path, text: str) -> None:
    (folder / "home" / "stylehead.toml").write_text(text)


def read(**row):
    return read_request(words_of(Row(1, FACE | row)))


def test_without_a_file_options_are_what_they_are(folder):
    assert read().options == Options()


def test_a_text_that_no_file_can_be_called_stays_a_text(folder):
    long = "x" * 300
    here(f'[preset.p]\nstyle = "{long}"\n')
    assert read(preset="p").style == [long]


def test_the_command_line_wins_over_the_folder_and_that_over_the_user(folder):
    home(folder, "[animate]\nfps = 10\nseed = 1\npose = 0.5\n")
    here("[animate]\nfps = 20\nseed = 2\n")
    options = read(fps="50").options
    assert (options.fps, options.seed, options.pose) == (50, 2, 0.5)


def test_a_preset_wins_over_defaults_and_the_folders_over_the_users(folder):
    home(folder, "[preset.shorts]\nfps = 10\nseed = 1\n[preset.mine]\nfps = 12\n")
    here("[animate]\nfps = 20\nbeat = 0.9\n[preset.shorts]\nfps = 25\ncrop = true\n")
    options = read(preset="shorts").options
    assert (options.fps, options.seed, options.crop, options.beat) == (25, 1, True, 0.9)
    assert read(preset="mine").options.fps == 12
    assert read().options.fps == 20


def test_values_are_read_as_the_command_line_reads_them(folder):
    here(
        '[animate]\npose = 2\ndevice = "cpu"\nappearance = false\nstyle = ["lively:0.5", "plain"]\n'
        'output = "here.mp4"\n--blink = 0\nvocals_offset = 0.5\nvocals = "v.wav"\n'
    )
    request = read()
    options = request.options
    assert (options.pose, options.device, options.appearance) == (2.0, Device.CPU, False)
    assert (request.style, request.output) == (["lively:0.5", "plain"], Path("here.mp4"))
    assert (options.blinks_per_minute, options.vocals_offset) == (0, 0.5)
    assert options.vocals == Path("v.wav")


def test_a_flag_of_a_file_is_switched_off_by_the_command_line(folder):
    here("[animate]\ncrop = true\nstill = true\n")
    assert read().options == Options(crop=True, still=True)
    words = [f"--{name}={value}" for name, value in FACE.items()]
    off = read_request([*words, "--no-crop", "--no-still"])
    assert off.options == Options()


def test_paths_of_the_users_file_count_from_it_and_names_of_styles_stay(folder):
    for name in ("mine.style", "low.wav"):
        (folder / "home" / name).touch()
    home(
        folder,
        '[animate]\ncues = "words.lrc"\nstyle = ["mine.style:0.7", "lively"]\n'
        'style-region = "head=mine.style,brows=lively"\nsing = "1=low.wav:lively"\n',
    )
    request, own = read(), folder / "home"
    assert request.options.cues == own / "words.lrc"
    assert request.style == [f"{own / 'mine.style'}:0.7", "lively"]
    assert request.style_region == f"head={own / 'mine.style'},brows=lively"
    assert request.options.sing == [f"1={own / 'low.wav'}:lively"]


def test_a_rate_is_a_number_or_a_fraction(folder):
    here("[preset.tv]\nfps = 29.97\n[preset.film]\nfps = '24000/1001'\n")
    assert read(preset="tv").options.rate == Fraction(30000, 1001)
    assert read(preset="film").options.rate == Fraction(24000, 1001)


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("[animate]\nfsp = 3", r"stylehead.toml, \[animate\]: fsp is not known", "mean fps?"),
        ("[animate]\njson = true", "json is not known", ""),
        ("[animate]\noverwrite = true", "overwrite is not known", ""),
        ("[animat]\nfps = 3", "stylehead.toml: animat is not known", "mean animate?"),
        ("[preset.a]\ncroop = true", r"\[preset.a\]: croop is not known", "mean crop?"),
        ("[animate]\nfps = 300", "fps is wrong.*60", ""),
        ("[animate]\nseed = '30'", "seed takes a whole number", ""),
        ("[animate]\nfps = true", "fps is no switch", ""),
        ("[animate]\npose = '1.5'", "pose takes a number", ""),
        ("[animate]\ncrop = 'yes'", "crop takes true or false", ""),
        ("[animate]\ncrop = 1", "crop takes true or false", ""),
        ("[animate]\nstyle = [3]", "style takes a text", ""),
        ("[animate]\nvocals = 3", "vocals is wrong", ""),
        ("[animate]\npose = nan", "pose is wrong", ""),
        ("[animate]\ndevice = 'gpu'", "device is wrong.*cuda", ""),
        ("[animate]\nfps = [10, 20]", "fps is wrong", ""),
        ("[animate]\nseed = {a = 1}", "seed is wrong", ""),
        ("[animate]\nstyle = 'a'\nmotion = 'b'", "style and motion cannot be given together", ""),
        ("animate = 3", "animate is not a table", ""),
        ("preset = 3", "preset is not a table", ""),
        ("[preset]\nfps = 3", "preset.fps is not a table", ""),
        ("[animate", "stylehead.toml is not TOML", ""),
        pytest.param("#" * 1_000_001, "more than a million characters", "", id="long"),
    ],
)
def test_a_wrong_file_is_refused_by_file_key_and_nearest_name(folder, text, said, remedy):
    here(text)
    with pytest.raises(ConfigError, match=said) as caught:
        read()
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_preset_that_nobody_has_is_refused_with_the_nearest(folder):
    here("[preset.shorts]\ncrop = true\n")
    with pytest.raises(ConfigError, match=r"short is no preset.*Did you mean shorts"):
        read(preset="short")


def test_of_style_clip_and_motion_the_last_word_counts(folder):
    home(folder, '[animate]\nstyle-video = "a.mp4"\n')
    here('[animate]\nstyle = "lively"\n[preset.saved]\nmotion = "m.npz"\n')
    request = read()
    assert (request.style_video, request.style) == (None, ["lively"])
    request = read(preset="saved")
    assert (request.style, request.motion) == (None, Path("m.npz"))
    request = read(**{"style-video": "b.mp4"})
    assert (request.style, request.style_video) == (None, Path("b.mp4"))
    request = read(preset="saved", style="plain")
    assert (request.style, request.motion) == (["plain"], None)


def test_defaults_that_a_run_cannot_use_are_left_out_and_said(folder, caplog):
    here("[animate]\nsize = 256\nbeat = 0.5\nfps = 20\n")
    with caplog.at_level(logging.INFO):
        request = read(motion="m.npz")
    assert request.options == Options(fps=20)
    said = [record.getMessage() for record in caplog.records]
    assert "fps = 20 (stylehead.toml, [animate])" in said
    assert "size of stylehead.toml, [animate] is left out: " in "\n".join(said)
    assert read(crop="yes").options == Options(crop=True, size=256, beat=0.5, fps=20)


def test_an_option_of_the_command_line_puts_away_what_would_make_it_useless(folder):
    here("[animate]\nstill = true\n")
    assert read(pose="2").options == Options(pose=2.0)


def test_what_the_command_line_itself_makes_useless_is_refused(folder):
    for row in ({"size": "512"}, {"still": "yes", "beat": "0.3"}, {"style-effort": "fast"}):
        with pytest.raises(ConfigError, match="changes nothing"):
            read(**row)


def test_all_options_but_those_of_one_run_may_stand_in_a_file():
    for command, kind in ((requested, Options), (motion, MotionOptions)):
        names = {
            one.name
            for name, one in long_options(command_of(command)).items()
            if name not in OF_ONE_RUN
        }
        assert {field.name for field in fields(kind)} - {"overwrite"} == names & {
            field.name for field in fields(kind)
        }


def test_motion_has_a_table_of_its_own_and_takes_of_a_preset_what_it_has(
    call, folder, speech, caplog
):
    here(
        '[animate]\nstyle = "nobody"\n[motion]\nstyle = "noone"\n[preset.s]\ncrop = true\nfps = 20'
    )
    words = ("motion", "--audio", speech, "-o", "m.npz")
    outcome = call(*words, "--preset", "s", "-v")
    assert outcome.code == 1 and "noone" in outcome.stderr
    assert "fps = 20 (stylehead.toml, [preset.s])" in caplog.text
    assert "crop" not in caplog.text
    here("[motion]\ncrop = true\n")
    outcome = call(*words)
    assert outcome.code == 1 and "[motion]: crop is not known" in outcome.stderr
