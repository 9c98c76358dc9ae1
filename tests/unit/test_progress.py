import pytest

from stylehead.progress import SILENT, Noting, track


class RememberingReporter:
    def __init__(self):
        self.heard = []

    def start(self, stage, total):
        self.heard.append(("start", stage, total))

    def advance(self):
        self.heard.append("advance")

    def say(self, message):
        self.heard.append(("say", message))


def test_track_yields_the_items_unchanged():
    items = [object(), object()]
    assert list(track(items, "Stage", 2)) == items


def test_track_names_the_stage_and_counts_each_item():
    listener = RememberingReporter()
    list(track("abc", "Rendering", 3, listener))
    assert listener.heard == [("start", "Rendering", 3), "advance", "advance", "advance"]


def test_an_item_counts_only_when_its_consumer_is_done_with_it():
    listener = RememberingReporter()
    items = track("ab", "Stage", None, listener)
    next(items)
    assert listener.heard == [("start", "Stage", None)]
    next(items)
    assert listener.heard[1:] == ["advance"]


def test_track_is_lazy():
    listener = RememberingReporter()
    track(iter("ab"), "Stage", 2, listener)
    assert listener.heard == []


def test_track_passes_failures_on():
    def broken():
        yield 1
        raise RuntimeError("spilled")

    with pytest.raises(RuntimeError, match="spilled"):
        list(track(broken(), "Stage", 2, RememberingReporter()))


def test_the_silent_reporter_says_nothing(capsys):
    SILENT.start("Stage", 3)
    SILENT.advance()
    SILENT.say("a fact")
    assert capsys.readouterr() == ("", "")


def test_notes_are_kept_once_and_passed_on():
    listener = RememberingReporter()
    noting = Noting(listener)
    for message in ("Note: odd.", "A fact.", "Warning: bad.", "Note: odd."):
        noting.say(message)
    assert noting.notes == ["Note: odd.", "Warning: bad."]
    assert listener.heard == [
        ("say", message) for message in ("Note: odd.", "A fact.", "Warning: bad.", "Note: odd.")
    ]
    assert Noting.of(noting) is noting
    assert list(track("ab", "Stage", 2, Noting.of(listener))) == ["a", "b"]
    assert listener.heard[4] == ("start", "Stage", 2)
