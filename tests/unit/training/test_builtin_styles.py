from pathlib import Path

import pytest

from stylehead.options import DEFAULT_STYLE
from stylehead.style.file import load_style
from stylehead.training import builtin_styles
from stylehead.training.builtin_styles import BUILT_IN, make_styles
from stylehead.weights.store import asset
from tests.stand_ins.faces import make_style, performed_motion


def test_every_shipped_style_has_a_source_and_the_other_way_round():
    assert {path.stem for path in asset("styles").glob("*.style")} == set(BUILT_IN)
    assert DEFAULT_STYLE in BUILT_IN


def test_making_the_styles_writes_one_file_for_each(tmp_path, monkeypatch):
    asked = []

    def learn_from_clip(video, name, *, clip, reporter):
        asked.append((Path(video), clip))
        return make_style(performed_motion(1.0), name=name), None, None

    monkeypatch.setattr(builtin_styles, "learn_from_clip", learn_from_clip)
    monkeypatch.setattr(builtin_styles, "style_folders", lambda: (tmp_path / "out", tmp_path))
    written = list(make_styles(tmp_path / "data"))
    assert [path.stem for path in written] == list(BUILT_IN)
    assert [load_style(path).name for path in written] == list(BUILT_IN)
    assert asked == [(tmp_path / "data" / source.file, source.part) for source in BUILT_IN.values()]


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_a_part_of_a_clip_is_a_part(name):
    part = BUILT_IN[name].part
    assert part.start >= 0
    assert part.duration is None or part.duration > 3
