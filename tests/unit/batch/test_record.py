import shutil

import pytest

from stylehead.batch import record, run
from stylehead.batch.events import Failed, Finished, Waits
from stylehead.batch.record import (
    Record,
    alone,
    folder_of,
    made_from,
    place_of,
    put,
    read_record,
    unfinished_of,
    write_record,
)
from stylehead.batch.run import (
    Job,
    follow,
    processes,
    read_shard,
    share_out,
    tidy,
    to_make,
)
from stylehead.errors import ConfigError, MediaError


def job(folder, number, key="key", task=None):
    output = folder / f"{number}.mp4"
    before = made_from(output)
    return Job(number=number, output=output, key=key, made_from=before, seconds=1, task=task)


def made(one, content=b"video"):
    """Put a job's video where it belongs, as a run does."""
    place = place_of(unfinished_of(one.output, one.key), one.output)
    place.write_bytes(content)
    put(place, one.output, one.key, {"seconds": 1.0})


def test_a_video_is_known_while_its_bytes_are_the_same(tmp_path):
    one = job(tmp_path, 1)
    assert made_from(one.output) is None
    made(one)
    assert made_from(one.output) == "key"
    one.output.write_bytes(b"edited")
    assert made_from(one.output) is None
    one.output.unlink()
    assert made_from(one.output) is None


def test_a_record_is_read_as_it_was_written_and_a_damaged_one_is_none(tmp_path):
    output = tmp_path / "a.mp4"
    written = Record(key="k", done=False, problem="p", remedy="r", details="d")
    write_record(output, written)
    assert read_record(output) == written
    assert folder_of(output) == tmp_path / ".stylehead" / "a.mp4"
    (folder_of(output) / "run.json").write_text('{"key": 1')
    assert read_record(output) is None


def test_what_is_left_is_what_is_missing_changed_or_failed(tmp_path):
    for number in range(2):
        made(job(tmp_path, number))
    write_record(tmp_path / "2.mp4", Record(key="key", done=False))
    jobs = [job(tmp_path, 0, "changed"), *(job(tmp_path, number) for number in range(1, 4))]
    assert to_make(jobs, retry_failed=False) == [jobs[0], jobs[2], jobs[3]]
    assert to_make(jobs, retry_failed=True) == [jobs[2], jobs[3]]


def test_a_failure_is_remembered_and_a_video_of_before_stays_ours(tmp_path):
    made(job(tmp_path, 1))
    jobs = [job(tmp_path, 1, "changed"), job(tmp_path, 2)]
    told = [Failed(number, f"{name} is missing.", "Find it.") for number, name in enumerate("ab")]
    assert [event for _, event in follow(jobs, told)] == told
    assert made_from(tmp_path / "1.mp4") == "key"
    records = [read_record(one.output) for one in jobs]
    assert [(one.done, one.problem, one.remedy) for one in records if one] == [
        (True, "a is missing.", "Find it."),
        (False, "b is missing.", "Find it."),
    ]
    assert to_make([job(tmp_path, 1, "changed")], retry_failed=False)


def test_machines_share_a_list_or_the_segments_of_each_video(tmp_path):
    jobs = [job(tmp_path, number) for number in range(7)]
    shares = [share_out(jobs, part, 3) for part in (1, 2, 3)]
    assert not any(segments for _, segments in shares)
    assert sorted(one.number for mine, _ in shares for one in mine) == list(range(7))
    assert [one.number for one in shares[1][0]] == [1, 4]
    assert share_out(jobs[:2], 2, 3) == (jobs[:2], True)


def test_a_shard_is_i_of_n():
    assert read_shard("2/3") == (2, 3)
    for wrong in ("0/3", "4/3", "1", "a/b", "1/0", "1/2/3"):
        with pytest.raises(ConfigError, match="no part of a list"):
            read_shard(wrong)


def test_a_video_that_comes_back_as_bytes_is_written_and_ours(tmp_path):
    one = job(tmp_path, 1)
    told = Finished(0, {"output": "made/1.mp4", "video": b"frames"})
    ((same, event),) = follow([one], [told])
    assert one.output.read_bytes() == b"frames"
    assert made_from(one.output) == "key"
    assert same is one
    assert event == Finished(0, {"output": str(one.output)})


def test_a_signature_beside_a_video_goes_with_it_and_that_of_another_goes_away(tmp_path):
    one = job(tmp_path, 1)
    told = {"output": "made/1.mp4", "video": b"frames", "signature": b"signed"}
    list(follow([one], [Finished(0, dict(told))]))
    beside = tmp_path / "1.mp4.c2pa"
    assert beside.read_bytes() == b"signed"
    changed = job(tmp_path, 1, "changed")
    del told["signature"]
    list(follow([changed], [Finished(0, dict(told))]))
    assert not beside.exists()


class KilledError(Exception):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("moment", ["remembered", "moved", "removed"])
def test_a_run_that_is_killed_while_it_puts_a_video_down_leaves_it_ours(
    tmp_path, monkeypatch, moment, before
):
    if before:
        made(job(tmp_path, 1, "changed"), b"older")
    one = job(tmp_path, 1)

    def killed(*_):
        raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        if moment == "removed":
            patch.setattr(record, "forget_unfinished", lambda output, but=None: but or killed())
        else:
            patch.setattr(shutil, "move", killed)
            if moment == "moved":
                patch.setattr(
                    shutil, "move", lambda made, part: made.replace(one.output) and killed()
                )
        made(one)
    again = job(tmp_path, 1)
    there = moment != "remembered"
    assert one.output.exists() == (there or before)
    assert again.made_from == ("key" if there else "" if before else None)
    assert to_make([again], retry_failed=False) == ([] if there else [again])
    kept = folder_of(one.output).glob("segments-*")
    assert list(kept)
    tidy([again], [again])
    assert list(folder_of(one.output).glob("segments-*"))
    tidy([again], [])
    assert bool(list(folder_of(one.output).glob("segments-*"))) != there
    made(again)
    assert made_from(one.output) == "key"
    assert not list(folder_of(one.output).glob("segments-*"))


def test_what_another_machine_has_finished_meanwhile_is_no_failure(tmp_path):
    one = job(tmp_path, 1)
    failed = Failed(0, "made-2/1.mp4 cannot be written", "Free some space.")
    made(one)
    gone = Finished(0, {"output": str(tmp_path / "made-2" / "1.mp4")})
    assert list(follow([one], [failed])) == []
    assert list(follow([one], [gone])) == [(one, Finished(0, {"output": str(one.output)}))]
    overwritten = job(tmp_path, 1)
    assert [event for _, event in follow([overwritten], [failed])] == [failed]


def test_who_waits_for_others_is_told_nothing_when_they_were_quicker(tmp_path):
    one = job(tmp_path, 1)
    assert list(follow([one], [Waits(0, "2 are missing")])) == [(one, Waits(0, "2 are missing"))]
    made(one)
    assert not list(follow([one], [Waits(0, "2 are missing")]))


def test_one_run_at_a_time_makes_a_video(tmp_path):
    output = tmp_path / "a.mp4"
    with alone(output), pytest.raises(MediaError, match="being made by another run"), alone(output):
        pass
    with alone(output):
        pass


def test_there_are_no_more_processes_than_cores_and_memory_unless_asked_for(monkeypatch):
    monkeypatch.setattr(run, "usable_cores", lambda: 4)
    memory = {"SC_AVPHYS_PAGES": run.MEMORY * 3, "SC_PAGE_SIZE": 1}
    monkeypatch.setattr(run.os, "sysconf", memory.get)
    assert processes(None) == 3
    assert processes(5) == 5
    memory["SC_AVPHYS_PAGES"] = 1
    assert processes(None) == 1
