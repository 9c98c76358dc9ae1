"""Weight file -> network, strictly."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open

from stylehead.models.motion_generator import MotionConfig, MotionGenerator


def load_motion_generator(path: Path, device: torch.device) -> MotionGenerator:
    """Build the motion generator its file describes; every name and shape must fit."""
    with safe_open(path, framework="pt") as file:
        config = MotionConfig(**json.loads(file.metadata()["config"]))
        state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    net = MotionGenerator(config)
    net.load_state_dict(state)
    return net.to(device).eval()
