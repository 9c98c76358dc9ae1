from pathlib import Path

import pytest

from stylehead import style as style_module
from stylehead.options import DEFAULT_STYLE
from stylehead.style import load_style
from stylehead.training import styles
from tests.unit.synthetic import make_style, performed_motion

ASSETS = style_module.weights.PACKAGE / "assets" / "styles"


def test_every_shipped_style_has_a_source_and_the_other_way_round():
    assert {path.stem for path in ASSETS.glob("*.style")} == set(styles.BUILT_IN)
    assert DEFAULT_STYLE in styles.BUILT_IN


def test_making_the_styles_writes_one_file_for_each(tmp_path, monkeypatch):
    asked = []

    def learn(video, name, **how):
        asked.append((Path(video), how.get("start", 0.0), how.get("duration")))
        return make_style(performed_motion(1.0), name=name), None, None

    monkeypatch.setattr(styles, "learn_style", learn)
    monkeypatch.setattr(styles, "style_folders", lambda: (tmp_path / "out", tmp_path))
    written = list(styles.make_styles(tmp_path / "data"))
    assert [path.stem for path in written] == list(styles.BUILT_IN)
    assert [load_style(path).name for path in written] == list(styles.BUILT_IN)
    assert asked == [
        (tmp_path / "data" / source.file, source.start, source.duration)
        for source in styles.BUILT_IN.values()
    ]


@pytest.mark.parametrize("name", list(styles.BUILT_IN))
def test_a_part_of_a_clip_is_a_part(name):
    source = styles.BUILT_IN[name]
    assert source.start >= 0
    assert source.duration is None or source.duration > 3
