"""A low-rank change of the motion generator: what style transfer learns and a style file holds."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from stylehead.models.manifold import Manifold, ProjectingGenerator
from stylehead.models.motion_generator import MotionGenerator, State

RANK = 8
"""Of the change of each matrix: 60,000 numbers for half a million weights."""
CHANGED = ("front.", "memory.", "head.", "components")
"""Parts of the generator that a style may change: all but its statistics."""
LAST = "head.3.weight"
"""The last layer's matrix, which changes in full: calibration has a closed form there."""


class Adapter(nn.Module):
    """Low-rank changes of a generator's matrices, plain ones of the rest (LoRA, Hu 2021)."""

    def __init__(self, generator: MotionGenerator, rank: int = RANK) -> None:
        super().__init__()
        self.down, self.up, self.added = (nn.ParameterDict() for _ in range(3))
        for name, value in generator.state_dict().items():
            if not name.startswith(CHANGED):
                continue
            key = name.replace(".", "/")  # a ParameterDict's keys hold no dots
            if value.ndim == 2 and name != LAST:
                start = torch.randn(rank, value.shape[1]) / value.shape[1] ** 0.5
                self.down[key] = nn.Parameter(start)
                self.up[key] = nn.Parameter(torch.zeros(value.shape[0], rank))
            else:
                self.added[key] = nn.Parameter(torch.zeros_like(value))

    @torch.no_grad()
    def start_from(self, weight: Tensor, bias: Tensor) -> None:
        """Set the change of the last layer, (K, H) and (K,)."""
        self.added[LAST.replace(".", "/")].copy_(weight)
        self.added["head/3/bias"].copy_(bias)

    def changes(self) -> dict[str, Tensor]:
        """Return the change of each of the generator's arrays, by name."""
        changes = {key: self.up[key] @ down for key, down in self.down.items()}
        changes |= dict(self.added.items())
        return {key.replace("/", "."): value for key, value in changes.items()}

    def run(
        self, generator: MotionGenerator, features: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Return the changed generator's output, differentiable in the change alone.

        Arguments and results as in MotionGenerator.forward.
        """
        frozen = {name: value.detach() for name, value in generator.state_dict().items()}
        changed = {name: frozen[name] + change for name, change in self.changes().items()}
        return functional_call(generator, frozen | changed, (features, state))


@torch.no_grad()
def tuned(
    generator: MotionGenerator, adapter: Adapter, manifold: Manifold | None = None
) -> MotionGenerator:
    """Return a changed copy of a generator, ready for use; features go to the manifold first."""
    config = generator.config
    net = ProjectingGenerator(config, manifold) if manifold else MotionGenerator(config)
    net = net.to(generator.spread.device)
    state = dict(generator.state_dict())
    for name, change in adapter.changes().items():
        state[name] = state[name] + change.to(state[name].device)
    net.load_state_dict(state)
    return net.eval()
