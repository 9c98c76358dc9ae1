import json

import pytest

from stylehead.batch.rows import MOST, Row, crossed_rows, read_rows
from stylehead.errors import ConfigError


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_a_csv_row_has_its_line_and_no_empty_cells(tmp_path, comma):
    text = "\ufeffimage,audio,Style_Video,crop\na.jpg,b.wav,,yes\n\nc.jpg,d.wav,e.mp4,\n"
    first, second = read_rows(written(tmp_path, "jobs.csv", text.replace(",", comma)))
    assert first == Row(2, {"image": "a.jpg", "audio": "b.wav", "crop": "yes"})
    assert second == Row(4, {"image": "c.jpg", "audio": "d.wav", "style-video": "e.mp4"})


def test_a_cell_may_hold_several_values_and_quoted_commas(tmp_path):
    text = 'image,sing\n"a, b\n.jpg",1=x.wav | 2=y.wav:lively\n'
    (row,) = read_rows(written(tmp_path, "jobs.csv", text))
    assert row.columns == {"image": "a, b\n.jpg", "sing": ["1=x.wav", "2=y.wav:lively"]}


def test_toml_jobs_take_defaults_and_their_own_word_counts(tmp_path):
    text = '[defaults]\nfps = 30\nstyle = "lively"\n[[job]]\nimage = "a"\n[[job]]\nfps = 25\n'
    first, second = read_rows(written(tmp_path, "jobs.toml", text))
    assert first == Row(1, {"fps": "30", "style": "lively", "image": "a"})
    assert second == Row(2, {"fps": "25", "style": "lively"})


def test_json_lines_keep_flags_and_lists(tmp_path):
    lines = [{"--image": "a", "crop": True}, {"style": ["a:0.5", "b:0.5"], "pose": 0.5}]
    text = "\n\n".join(map(json.dumps, lines))
    first, second = read_rows(written(tmp_path, "jobs.jsonl", text))
    assert first == Row(1, {"image": "a", "crop": True})
    assert second == Row(3, {"style": ["a:0.5", "b:0.5"], "pose": "0.5"})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("jobs.txt", "image", "not a list of jobs"),
        ("jobs.csv", "image\n", "has no jobs"),
        ("jobs.csv", "image\na,b\n", "line 2 has more cells"),
        ("jobs.csv", 'image\n"a', "unexpected end"),
        ("jobs.toml", "[[job]\n", "list of jobs: "),
        ("jobs.toml", "[jobs]\n", "jobs is neither"),
        ("jobs.toml", "job = 1\n", r"tables \[\[job\]\]"),
        ("jobs.toml", "[[job]]\nimage = [1]\n[[job]]\nstart = {}\n", "job 2, start is not text"),
        ("jobs.jsonl", '{"a": "b"}\n{', "line 2 is not JSON"),
        ("jobs.jsonl", "[" * 99_999, "line 1 has too many brackets"),
        ("jobs.csv", "image\n" + "a" * MOST, "more than 10000000 characters"),
        ("jobs.jsonl", "[1]", "line 1 is not a table"),
        ("jobs.jsonl", '{"a": null}', "line 1, a is not text"),
    ],
)
def test_what_is_no_list_is_named_with_its_line(tmp_path, name, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        read_rows(written(tmp_path, name, text))
    assert caught.value.remedy


def test_a_list_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read_rows(tmp_path / "none.csv")
    (tmp_path / "jobs.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_rows(tmp_path / "jobs.csv")


def test_every_picture_meets_every_recording(tmp_path):
    rows = crossed_rows([tmp_path / "a", tmp_path / "b"], [tmp_path / "c"], {"fps": "30"})
    assert [row.number for row in rows] == [1, 2]
    assert rows[1].columns == {
        "image": f"{tmp_path / 'b'}",
        "audio": f"{tmp_path / 'c'}",
        "fps": "30",
    }
