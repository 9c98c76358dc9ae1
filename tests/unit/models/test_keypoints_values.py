"""Angles and rotations keep the precision and the device of what they are made from."""

from __future__ import annotations

import math

import pytest
import torch

from stylehead.models.keypoints import axis_rotation, expected_degrees


def test_a_sure_class_is_its_angle() -> None:
    logits = torch.full((3, 66), -1e4, dtype=torch.float64)
    logits[0, 0] = logits[1, 33] = logits[2, 65] = 1e4
    found = expected_degrees(logits, -99.0)
    assert found.dtype == torch.float64
    assert found.tolist() == [-99.0, 0.0, 96.0]


def test_a_rotation_is_as_precise_as_its_angle() -> None:
    turn = axis_rotation(torch.tensor([30.0], dtype=torch.float64), 0)
    assert turn.dtype == torch.float64
    assert turn[0, 1, 2] == pytest.approx(0.5, abs=1e-15)
    assert turn[0, 1, 1] == pytest.approx(math.sqrt(3) / 2, abs=1e-15)


def test_what_is_on_a_device_stays_there() -> None:
    """The meta device stands for every one that is not the default."""
    assert expected_degrees(torch.zeros(2, 66, device="meta"), -99.0).device.type == "meta"
    assert axis_rotation(torch.zeros(2, device="meta"), 1).device.type == "meta"
