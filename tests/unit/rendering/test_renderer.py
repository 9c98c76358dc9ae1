"""The estimate of the time a video takes: by frames rendered now, and not many of them."""

import numpy as np
import pytest
import torch

from stylehead.rendering.renderer import Scene
from tests.stand_ins.faces import performed_motion


@pytest.mark.parametrize(("frames", "tried"), [(10, [1]), (60, [1, 3]), (600, [1, 6])])
def test_a_trial_is_a_small_share_of_the_work(frames, tried):
    rendered = []

    def render(motions):
        (motion,) = motions
        rendered.append(len(motion))
        return iter(np.zeros((len(motion), 2, 2, 3), np.uint8))

    scene = Scene(
        picture=np.zeros((2, 2, 3), np.uint8), area=np.s_[:2, :2], draw=render, patterns=[],
        batch=4, parallel=True, trial_frames=6, device=torch.device("cpu"),
    )  # fmt: skip
    said = scene.estimate([performed_motion(frames / 30)])
    assert said.startswith(f"{frames} frames of 2 x 2")
    assert rendered == tried
