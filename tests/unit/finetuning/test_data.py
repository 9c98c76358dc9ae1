"""What is learned from: the person's own shape taken out, references weighed to the mean."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stylehead.face.landmarks import mouth_opening
from stylehead.finetuning.data import template_weights, transfer_data
from tests.stand_ins.faces import make_style, mean_face, performed_motion


def test_the_target_s_own_shape_is_taken_out():
    style = make_style(performed_motion(10.0))
    wide = style.motion.neutral * np.float32(1.2)
    references = tuple(
        replace(reference, landmarks=reference.landmarks - style.motion.neutral + wide)
        for reference in style.references
    )
    other = replace(style, motion=style.motion.with_(neutral=wide), references=references)
    a, b = transfer_data(style, [], []), transfer_data(other, [], [])
    torch.testing.assert_close(a.references, b.references, atol=1e-5, rtol=0)
    torch.testing.assert_close(a.neutral, torch.from_numpy(mean_face()))


def test_articulation_and_expression_make_up_the_motion():
    style = make_style(performed_motion(10.0))
    data = transfer_data(style, [], [])
    together = data.articulation + data.expression
    torch.testing.assert_close(together, torch.from_numpy(style.motion.landmarks))
    opening = mouth_opening(data.expression.numpy() + style.motion.neutral)
    assert opening.std() < 0.1 * mouth_opening(style.motion.landmarks + style.motion.neutral).std()


def test_weights_mix_the_references_to_the_mean():
    references = torch.zeros(4, 68, 3)
    references[1, 8, 1], references[2, 8, 1], references[3, 48, 0] = 0.1, 0.4, 0.2
    motion = torch.zeros(10, 68, 3)
    motion[:, 8, 1] = 0.1
    motion[:, 48, 0] = 0.02
    weights = template_weights(references, motion)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    mixed = torch.einsum("r,rpa->pa", weights, references)
    np.testing.assert_allclose(mixed, motion.mean(0), atol=1e-3)
