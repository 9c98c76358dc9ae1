from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from stylehead.face.landmarks import mouth_opening
from stylehead.finetuning.holdout import HoldoutResult
from stylehead.finetuning.plot import MEASURES, draw_bars, draw_curves, draw_result
from stylehead.media.image import read_image
from tests.stand_ins.faces import performed_motion
from tests.unit.finetuning.test_holdout import UNTUNED

SCORES = {"un-tuned": UNTUNED, "statistics": UNTUNED, "tuned": replace(UNTUNED, sld=1.0)}


@pytest.fixture
def axes():
    return Figure().subplots()


def test_a_bar_is_as_long_as_the_score_over_the_un_tuned_one(axes):
    draw_bars(axes, SCORES)
    lengths = [[bar.get_height() for bar in bars] for bars in axes.containers]
    assert lengths[0] == lengths[1] == [1.0] * len(MEASURES)
    assert lengths[2] == [0.5, 1.0, 1.0, 1.0, 1.0]


def test_curves_begin_at_zero_seconds_and_are_named(axes):
    motions = {"tuned": performed_motion(20.0), "the clip, held out": performed_motion(3.0, fps=25)}
    draw_curves(axes, motions, mouth_opening)
    tuned, clip = axes.lines
    assert (tuned.get_label(), clip.get_label()) == tuple(motions)
    assert tuned.get_xdata()[-1] == pytest.approx(8 - 1 / 30)
    assert clip.get_xdata()[-1] == pytest.approx(3 - 1 / 25)
    np.testing.assert_allclose(clip.get_xdata()[:2], [0, 0.04])


def test_the_picture_has_axes_with_units_and_a_legend(tmp_path):
    motions = {name: performed_motion(9.0) for name in SCORES}
    path = tmp_path / "report.png"
    draw_result(path, HoldoutResult(scores=SCORES, motions=motions), performed_motion(4.0))
    pixels = read_image(path)
    assert pixels.shape == (720, 960, 3)
    assert (np.abs(pixels.astype(int) - (196, 64, 42)).sum(-1) == 0).sum() > 1000  # the tuned bars
    assert [path.name for path in tmp_path.iterdir()] == ["report.png"]
