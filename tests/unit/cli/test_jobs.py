from pathlib import Path

import pytest

from stylehead.batch.rows import Row
from stylehead.cli.jobs import columns, read_jobs, read_request, words_of
from stylehead.errors import ConfigError
from stylehead.motion.file import save_motion
from tests.stand_ins import media
from tests.stand_ins.faces import performed_motion


def test_columns_are_the_long_options_of_animate():
    assert {"image", "audio", "style-video", "fps", "sing", "crop", "output"} <= columns().keys()
    assert not {"json", "quiet", "verbose", "overwrite"} & columns().keys()


def test_a_row_is_read_as_a_command_line_is():
    row = Row(1, {"image": "a", "audio": "-b.wav", "crop": "Yes", "still": "no", "pose": "0.5"})
    request = read_request(words_of(row))
    assert (request.image, request.audio) == (Path("a"), Path("-b.wav"))
    assert (request.options.crop, request.options.still, request.options.pose) == (True, False, 0.5)


def test_what_is_on_can_be_switched_off_by_a_row():
    for given, wanted in (("no", False), ("yes", True)):
        request = read_request(words_of(Row(1, {"image": "a", "audio": "b", "appearance": given})))
        assert request.options.appearance is wanted


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"colour": "red"}, "colour is not a column"),
        ({"json": "yes"}, "json is not a column"),
        ({"crop": "perhaps"}, "crop is perhaps"),
        ({"image": True}, "image is True"),
        ({"fps": ["25", "30"]}, "fps has several values"),
        ({"image": "a"}, "Missing option '--audio'"),
        ({"image": "a", "audio": "b", "fps": "fast"}, "'--fps'"),
        ({"image": "a", "audio": "b", "style": "x", "motion": "y"}, "cannot be given together"),
    ],
)
def test_a_wrong_row_says_what_is_wrong(given, said):
    with pytest.raises(ConfigError, match=said):
        read_request(words_of(Row(1, given)))


@pytest.fixture
def folder(tmp_path):
    media.save_picture(tmp_path / "face.png", media.portrait())
    media.save_sound(tmp_path / "voice.wav", media.voice(1))
    save_motion(performed_motion(1), tmp_path / "take.npz")
    return tmp_path


def jobs_of(folder, *rows, name="{portrait}_{audio}"):
    given = [
        Row(number, {"image": "face.png", "audio": "voice.wav", **row})
        for number, row in enumerate(rows, 1)
    ]
    return read_jobs(given, folder, folder / "out", name=name, overwrite=False)


def test_every_fault_of_every_row_is_found_and_good_rows_become_jobs(folder):
    (folder / "broken.png").write_text("no picture")
    jobs, faults = jobs_of(
        folder,
        {},
        {"image": "none.png"},
        {"audio": "none.wav"},
        {"style": "nobody"},
        {"image": "broken.png", "output": "broken.mp4"},
        {"motion": "face.png", "output": "moved.mp4"},
        {"fps": "fast"},
        {"output": "sub/take.mp4", "motion": "take.npz"},
        {},
    )
    assert [job.number for job in jobs] == [1, 8]
    assert jobs[0].output == folder / "out" / "face_voice.mp4"
    assert jobs[1].output == folder / "out" / "sub" / "take.mp4"
    assert jobs[0].seconds == pytest.approx(1, abs=0.01)
    said = {fault.number: fault.problem for fault in faults}
    assert sorted(said) == [2, 3, 4, 5, 6, 7, 9]
    assert "none.png does not exist" in said[2]
    assert "none.wav does not exist" in said[3]
    assert "nobody" in said[4]
    assert "broken.png" in said[5]
    assert "face.png" in said[6]
    assert "also the video of row 1" in said[9]


def test_what_decides_a_video_is_in_its_key(folder):
    (one, other), faults = jobs_of(folder, {}, {"seed": "2"}, name="{number}")
    assert not faults
    assert one.key != other.key
    again = jobs_of(folder, {}, name="{number}")[0][0]
    assert again.key == one.key
    media.save_sound(folder / "voice.wav", media.voice(2))
    assert jobs_of(folder, {}, name="{number}")[0][0].key != one.key


def test_a_name_fills_its_parts_from_the_row(folder):
    (job,), _ = jobs_of(folder, {"style": "lively"}, name="{number}-{style}-{audio}")
    assert job.output.name == "1-lively-voice.mp4"
    _, (fault,) = jobs_of(folder, {}, name="{style}")
    assert "does not fill" in fault.problem


def test_the_rest_of_a_list_is_asked_for_its_names_alone(folder):
    shared = {"image": "face.png", "audio": "voice.wav"}
    names = ("a", "b", "a", "b", "c")
    rows = [Row(n, {**shared, "output": f"{name}.mp4"}) for n, name in enumerate(names, 1)]
    rows += [Row(6, {"image": "none.png", "audio": "none.wav"}), Row(7, {"colour": "red"})]
    mine = [rows[1], rows[2], rows[4]]
    jobs, faults = read_jobs(
        mine, folder, folder / "out", name="{number}", overwrite=False, whole=rows
    )
    assert [job.number for job in jobs] == [2, 5]
    assert [(one.number, one.problem) for one in faults] == [
        (3, "a.mp4 is also the video of row 1.")
    ]


def test_a_strangers_video_is_not_replaced(folder):
    (folder / "out").mkdir()
    (folder / "out" / "face_voice.mp4").write_bytes(b"mine")
    jobs, (fault,) = jobs_of(folder, {})
    assert not jobs
    assert "exists already" in fault.problem


def test_a_row_makes_a_file_and_no_folder_of_pictures(folder):
    jobs, (fault,) = jobs_of(folder, {"output": "shot/%05d.png"}, {"output": "take.webm"})
    assert [job.output.name for job in jobs] == ["take.webm"]
    assert fault.number == 1 and "folder of pictures" in fault.problem
