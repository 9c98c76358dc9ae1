import math

import av
import pytest

from stylehead.errors import MediaError
from stylehead.media.cues import Cue, Subtitle, read_cues, subtitles

LRC = """\ufeff[ti:A song]
[ar: Nobody]

[00:01.50]1: la la
[00:03.00][01:07.25]2: <00:03.10>lo <00:03.60>lo
[00:05]
[00:06.5]1+2: together
"""
SRT = """1
00:00:01,500 --> 00:00:03,000
1: <i>la</i>
la

2
00:00:02,000 --> 01:00:05,250 X1:40 X2:600
2=Ben: lo
1: ha
"""


def written(folder, text, name="song.lrc", **how):
    path = folder / name
    path.write_text(text, **{"encoding": "utf-8", **how})
    return path


def refusal(path):
    with pytest.raises(MediaError) as caught:
        read_cues(path)
    assert caught.value.remedy
    return str(caught.value)


def test_a_line_of_lrc_lasts_until_the_next_one_or_an_empty_one(tmp_path):
    cues = read_cues(written(tmp_path, LRC))
    assert cues == (
        Cue(start=1.5, end=3.0, text="la la", faces=(1,)),
        Cue(start=3.0, end=5.0, text="lo lo", faces=(2,)),
        Cue(start=6.5, end=67.25, text="together", faces=(1, 2)),
        Cue(start=67.25, end=math.inf, text="lo lo", faces=(2,)),
    )


def test_srt_has_ends_and_several_singers_at_a_time(tmp_path):
    cues = read_cues(written(tmp_path, SRT, "song.SRT"))
    assert cues == (
        Cue(start=1.5, end=3.0, text="la", faces=(1,)),
        Cue(start=1.5, end=3.0, text="la", faces=(1,)),
        Cue(start=2.0, end=3605.25, text="lo", faces=(2,)),
        Cue(start=2.0, end=3605.25, text="ha", faces=(1,)),
    )


def test_times_and_words_are_those_that_ffmpeg_reads(tmp_path):
    plain = "[00:01.50]la la\n[00:03.25]lo\n[01:10.00]hey\n"
    with av.open(str(written(tmp_path, plain))) as container:
        packets = [packet for packet in container.demux() if packet.size]
    cues = read_cues(tmp_path / "song.lrc")
    assert [cue.text for cue in cues] == [bytes(packet).decode().strip() for packet in packets]
    starts = [float(packet.pts * packet.time_base) for packet in packets]
    assert [cue.start for cue in cues] == pytest.approx(starts)
    ends = [float((packet.pts + packet.duration) * packet.time_base) for packet in packets[:-1]]
    assert [cue.end for cue in cues[:-1]] == pytest.approx(ends)


def test_lines_out_of_order_are_sung_in_order(tmp_path):
    lines = ["[00:01]one", "[00:02]two", "[00:03]three"]
    orders = [lines, lines[::-1], [lines[1], lines[2], lines[0]]]
    first, *others = (read_cues(written(tmp_path, "\n".join(order))) for order in orders)
    assert [cue.text for cue in first] == ["one", "two", "three"]
    assert [cue.end for cue in first] == [2.0, 3.0, math.inf]
    assert all(cues == first for cues in others)


def test_an_offset_brings_lines_forward(tmp_path):
    text = "[offset:+1500]\n[00:00]gone\n[00:01]half\n[00:02]la\n[00:04]lo\n"
    assert [(cue.start, cue.end) for cue in read_cues(written(tmp_path, text))] == [
        (0.0, 0.5),
        (0.5, 2.5),
        (2.5, math.inf),
    ]
    late = read_cues(written(tmp_path, text.replace("+1500", "-250")))
    assert late[1].start == 1.25


def test_a_name_stands_for_a_face_before_and_after_it_is_given_one(tmp_path):
    text = "[00:01]Anna: a\n[00:02]1=Anna: b\n[00:03]Anna+2: c\n[00:04]2=Jürgen: d\n[00:05]e\n"
    cues = read_cues(written(tmp_path, text))
    assert [cue.faces for cue in cues] == [(1,), (1,), (1, 2), (2,), ()]
    assert [cue.text for cue in cues] == list("abcde")


def test_colons_in_the_words_name_nobody(tmp_path):
    texts = ["it is 12:30 now", "and then he said: no", "see http://example.org", "ratio 1:2"]
    lines = "".join(f"[00:0{number}]{text}\n" for number, text in enumerate(texts))
    cues = read_cues(written(tmp_path, lines))
    assert [cue.text for cue in cues] == texts
    assert not any(cue.faces for cue in cues)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[00:01]la\nlo\n", 2, "'lo' has no time"),
        ("[00:61]la\n", 1, "'[00:61]la' has no time"),
        ("\n\n[00:01]0: la\n", 3, "'0' is no face"),
        ("[00:01]1: la\n[00:02]Anna: lo\n", 2, "'Anna' is no face"),
        ("[00:01]1=Anna: la\n[00:02]2=Anna: lo\n", 2, "Anna is already face 1"),
        ("[00:01]1=2: la\n", 1, "1=2 gives a face another number"),
        ("[offset:soon]\n[00:01]la\n", 1, "'soon' is no offset"),
    ],
)
def test_what_is_wrong_in_lrc_is_said_with_its_line(tmp_path, text, line, said):
    path = written(tmp_path, text)
    assert refusal(path) == f"{path}, line {line}: {said}."


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("1\n00:00:01 --> 00:00:02\nla\n", 2, "'00:00:01 --> 00:00:02' has no time"),
        ("la\n", 1, "'la' has no time"),
        (SRT.replace("01:00:05,250", "00:00:02,000"), 7, "ends before it begins"),
        (SRT.replace("la\n\n2\n", "la\n2\n"), 6, "an empty line is missing before this one"),
    ],
)
def test_what_is_wrong_in_srt_is_said_with_its_line(tmp_path, text, line, said):
    path = written(tmp_path, text, "song.srt")
    message = refusal(path)
    assert message.startswith(f"{path}, line {line}: ")
    assert said in message


def test_files_that_are_no_lyrics_are_refused(tmp_path):
    assert "does not end in .lrc or .srt" in refusal(written(tmp_path, LRC, "song.txt"))
    assert "is not a text in UTF-8" in refusal(written(tmp_path, LRC, encoding="utf-16"))
    assert "has no line with a time" in refusal(written(tmp_path, "[ti:A song]\n"))
    assert "does not exist" in refusal(tmp_path / "none.lrc")
    assert "0 bytes" in refusal(written(tmp_path, ""))


def test_subtitles_never_overlap():
    spans = [("a", 0.0, 4.0), ("b", 2.0, 6.0), ("c", 6.0, 7.0), ("d", 9.0, 10.0)]
    cues = [Cue(start=start, end=end, text=text) for text, start, end in spans]
    assert subtitles(cues) == [
        Subtitle(0.0, 2.0, "a"),
        Subtitle(2.0, 4.0, "a\nb"),
        Subtitle(4.0, 6.0, "b"),
        Subtitle(6.0, 7.0, "c"),
        Subtitle(9.0, 10.0, "d"),
    ]


# ---- by somebody who means harm -------------------------------------------------------------

DIGITS = "9" * 5000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.lrc", f"[{DIGITS}:00] la\n"),
        ("a.lrc", f"[offset:{DIGITS}]\n[00:01] la\n"),
        ("a.lrc", f"[00:01] {DIGITS}: la\n"),
        ("a.lrc", "[00:01] \u0663\u0663: la\n".replace("\u0663", "\u00b2")),
        ("a.srt", f"{DIGITS}:00:01,000 --> {DIGITS}:00:02,000\nla\n"),
    ],
)
def test_endless_digits_are_refused_with_their_line(tmp_path, name, text):
    assert "line" in refusal(written(tmp_path, text, name))


def test_too_many_lines_are_refused(tmp_path, monkeypatch):
    text = "".join(f"[00:0{second}.00] la\n" for second in range(4))
    assert len(read_cues(written(tmp_path, text))) == 4
    monkeypatch.setattr("stylehead.media.cues.MOST_CUES", 3)
    assert "more than 3 lines" in refusal(written(tmp_path, text))


def test_a_thousand_lines_at_once_show_twenty(tmp_path):
    crowd = [Cue(start=0.0, end=float(9 + i), text=f"la {i}") for i in range(1000)]
    shown = subtitles(crowd)
    assert shown[0].text.splitlines() == [f"la {i}" for i in range(20)]
    assert len(shown) == 1000


def test_a_line_of_opening_brackets_is_read(tmp_path):
    # 300 kB of them: looking for an end from each would take minutes.
    line = "<b " * 100_000
    path = written(tmp_path, f"1\n00:00:01,000 --> 00:00:02,000\n{line}\n", "a.srt")
    assert read_cues(path)[0].text == line.strip()
