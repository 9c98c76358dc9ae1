import numpy as np
import pytest

from stylehead.errors import DataError, FaceError, MediaError
from stylehead.training.data import clips as clips_module
from stylehead.training.data.clips import Clip, load_clips, prepare_clips, read_people, save_clip
from tests.stand_ins.faces import RememberingReporter, face_track, mean_mesh, without_face


def tracked(frames=12):
    return face_track(np.repeat(mean_mesh()[None], frames, 0))


@pytest.fixture
def tracker(monkeypatch):
    """Track any file without looking at it; files named bad* show no face, mute* have no sound."""
    asked = []

    def track_video(path, **_):
        asked.append(path.name)
        if path.name.startswith("bad"):
            raise FaceError(f"{path} shows no face.", remedy="Another clip.")
        return tracked()

    class Sound:
        def blocks(self):
            yield np.full(800, 0.5, np.float32)
            yield np.full(800, 2.0, np.float32)  # louder than full scale

    def open_audio(path, **_):
        if path.name.startswith("mute"):
            raise MediaError(f"{path} has no sound.", remedy="Another clip.")
        return Sound()

    monkeypatch.setattr(clips_module, "track_video", track_video)
    monkeypatch.setattr(clips_module, "open_audio", open_audio)
    return asked


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("b.mp4", "a.MOV", "notes.txt", "c.webm"):
        (folder / name).touch()
    return folder


def test_a_clip_comes_back(tmp_path):
    track = without_face(tracked(), slice(3, 5))
    track.cuts[7] = True
    clip = Clip("one.mp4", "Ann", track, np.arange(-500, 500, dtype=np.int16))
    save_clip(tmp_path / "one.mp4.npz", clip)
    (back,) = load_clips(tmp_path)
    assert (back.name, back.person) == ("one.mp4", "Ann")
    assert back.track.size == track.size
    np.testing.assert_array_equal(back.samples, clip.samples)
    for name in ("mesh", "expression", "sharpness", "seconds", "cuts"):
        np.testing.assert_array_equal(getattr(back.track, name), getattr(track, name))


def test_clips_are_read_in_name_order(tmp_path):
    for name in ("zoe", "ann", "mia"):
        save_clip(tmp_path / f"{name}.npz", Clip(name, name, tracked(2), np.zeros(3, np.int16)))
    assert [clip.name for clip in load_clips(tmp_path)] == ["ann", "mia", "zoe"]


def test_every_clip_of_a_folder_is_prepared(clips, tracker, tmp_path):
    assert prepare_clips(clips, tmp_path / "work") == 3
    found = load_clips(tmp_path / "work")
    assert [clip.name for clip in found] == ["a.MOV", "b.mp4", "c.webm"]
    assert [clip.person for clip in found] == ["a", "b", "c"]
    assert not list((tmp_path / "work").glob(".*"))


def test_clips_already_prepared_are_left_alone(clips, tracker, tmp_path):
    prepare_clips(clips, tmp_path / "work")
    (clips / "d.mp4").touch()
    tracker.clear()
    assert prepare_clips(clips, tmp_path / "work") == 4
    assert tracker == ["d.mp4"]


def test_a_clip_without_a_face_is_left_out_and_told(clips, tracker, tmp_path):
    (clips / "bad.mp4").touch()
    listener = RememberingReporter()
    assert prepare_clips(clips, tmp_path / "work", reporter=listener) == 3
    assert listener.total == 4
    assert len(listener.said) == 1
    assert "bad.mp4" in listener.said[0]
    assert not (tmp_path / "work" / "bad.mp4.npz").exists()


def test_sound_is_kept_as_sixteen_bit_and_clipped(clips, tracker, tmp_path):
    prepare_clips(clips, tmp_path / "work")
    samples = load_clips(tmp_path / "work")[0].samples
    assert samples.dtype == np.int16
    assert len(samples) == 1600
    assert samples[0] == pytest.approx(0.5 * 32767, abs=1)
    assert samples[-1] == 32767


def test_a_clip_without_sound_still_teaches_the_face(clips, tracker, tmp_path):
    (clips / "mute.mp4").touch()
    prepare_clips(clips, tmp_path / "work")
    mute = {clip.name: clip for clip in load_clips(tmp_path / "work")}["mute.mp4"]
    assert len(mute.samples) == 0
    assert mute.track.found.all()


def test_a_table_beside_the_folder_names_people(clips, tracker, tmp_path):
    (tmp_path / "clips.tsv").write_text("file\tidentity\turl\nb.mp4\tBea\t-\nc.webm\tBea\t-\n")
    assert read_people(clips) == {"b.mp4": "Bea", "c.webm": "Bea"}
    prepare_clips(clips, tmp_path / "work")
    assert [clip.person for clip in load_clips(tmp_path / "work")] == ["a", "Bea", "Bea"]


def test_a_table_of_something_else_names_nobody(clips, tmp_path):
    (tmp_path / "clips.tsv").write_text("file\tmodel\nb.mp4\tx\n")
    assert read_people(clips) == {}


def test_without_a_table_nobody_is_named(clips):
    assert read_people(clips) == {}


def test_a_folder_that_is_none_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(DataError, match="nowhere") as caught:
        prepare_clips(tmp_path / "nowhere", tmp_path / "work")
    assert caught.value.remedy


def test_a_damaged_clip_is_named(tmp_path):
    (tmp_path / "one.mp4.npz").write_bytes(b"not a zip")
    with pytest.raises(DataError, match="one") as caught:
        load_clips(tmp_path)
    assert "stylehead prepare" in caught.value.remedy


def test_a_folder_without_tracked_clips_says_what_to_run(tmp_path):
    with pytest.raises(DataError, match="no tracked clips") as caught:
        load_clips(tmp_path)
    assert "stylehead prepare" in caught.value.remedy
