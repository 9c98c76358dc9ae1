"""How a style is transferred."""

from __future__ import annotations

from dataclasses import dataclass

from stylehead.options import TuningOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferConfig:
    """Steps, batches, rates and loss weights of one transfer."""

    warm_up: int = 20
    """Steps of f alone, the motion held; few are enough since its slopes begin near 1."""
    steps: int = TuningOptions.steps
    """Steps of the generator's change and f together."""
    batch: int = 4  # windows; a clip of 20 s has few
    window: int = 120  # frames: 2 s; half of the training's, for minutes on a CPU
    learning_rate: float = 3e-3  # of the adapter: thirty times the paper's, for low-rank changes
    network_rate: float = 1e-4  # of f (paper, Implementation)
    constraint: float = 0.05
    """Weight of L_sc: its 204 standardised coordinates against L_mg's mean of them."""
    penalty: float = 1.0
    """Weight of L_r (paper, Eq. 7)."""
    sync: float = 1.0
    """Weight of the loss of the teacher's timing."""
    dynamics: float = 0.3
    """Weight of the match of spread and speed; 0 leaves it out."""
    frames: int = 64
    """Frames of motion that f sees in a step."""
    every: int = 100
    """Steps between two validations."""
    seed: int = 0

    @staticmethod
    def from_options(options: TuningOptions) -> TransferConfig:
        """Return the configuration that a user's options ask for."""
        usual = TransferConfig()
        return TransferConfig(
            steps=options.steps, dynamics=usual.dynamics if options.dynamics else 0.0
        )
