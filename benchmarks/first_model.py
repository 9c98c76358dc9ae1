"""The first motion generator, kept for comparison: a GRU on log-mel rows.

Its weights come out of the history of this repository. It was trained when no people were held out:
most of those the benchmark judges by were among its teachers.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

FILE = "17cded1:stylehead/assets/motion.safetensors"
WIDTH, DELAY = 160, 18


class FirstModel(nn.Module):
    """Pairs of log-mel rows -> GRU -> weights of principal offsets."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Linear(160, WIDTH),
            nn.LayerNorm(WIDTH),
            nn.LeakyReLU(0.2),
            nn.Dropout(),
            nn.Linear(WIDTH, WIDTH),
        )
        self.memory = nn.GRU(WIDTH, WIDTH, 2, batch_first=True)
        self.head = nn.Sequential(
            nn.Dropout(), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, 32)
        )
        for name, shape in (
            ("filters", (80, 257)),
            ("components", (32, 204)),
            ("spread", (68, 3)),
            ("predicted_spread", (68, 3)),
        ):
            self.register_buffer(name, torch.zeros(shape))

    @torch.inference_mode()
    def forward(self, features: Tensor) -> Tensor:
        """Return offsets (T, 68, 3) of what LogMelEncoder heard, (T, 160)."""
        tail = features[-1:].expand(DELAY, -1)
        hidden, _ = self.memory(self.front(torch.cat([features, tail])[None] * 2 - 1))
        components = self.get_buffer("components")
        return (self.head(hidden)[0, DELAY:] @ components).unflatten(-1, (68, 3))


def load_first_model() -> FirstModel | None:
    """Return the first model; None where the repository's history is not at hand."""
    here = Path(__file__).parent
    done = subprocess.run(["git", "show", FILE], capture_output=True, check=False, cwd=here)
    if done.returncode:
        return None
    net = FirstModel()
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(done.stdout)
        file.flush()
        net.load_state_dict({k: v.float() for k, v in load_file(file.name).items()})
    return net.eval()
