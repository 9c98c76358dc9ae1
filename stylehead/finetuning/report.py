"""What finetune-style says about a tuned style: a table, and a report beside the style file."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from stylehead import files
from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.holdout import HoldoutResult
from stylehead.types import Style


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FinetunedStyle:
    """A tuned style on disk and the hold-out test that it passed, unless it was forced."""

    path: Path
    result: HoldoutResult | None
    """None where a style that was refused and kept became `path` as it was."""
    notes: list[str]
    seconds: float
    """How long the work took."""

    def table(self) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]] | None:
        """Return title, columns and rows of the scores, None when nothing was tested."""
        if self.result is None:
            return None
        scores = {name: asdict(row) for name, row in self.result.scores.items()}
        rows = [
            (field.replace("_", " "), *(f"{row[field]:.3f}" for row in scores.values()))
            for field in scores["tuned"]
        ]
        title = (
            f"Tuned in {self.seconds:.0f} s; compared with the held-out part of the clip "
            "(sld, slv, smd, lmd: lower is closer)"
        )
        return title, ("", *scores), rows


def write_report(
    path: Path,
    result: HoldoutResult,
    *,
    notes: list[str],
    reasons: list[str],
    lip_crossings: dict[str, float],
    learned: Style,
    config: TransferConfig,
) -> None:
    """Write the scores, the reasons to reject and what the style was learned from, as JSON."""
    scores = {
        name: {field: _number(value) for field, value in asdict(row).items()}
        for name, row in result.scores.items()
    }
    report = {
        "rows": scores,
        "held_out_style_distance": _number(result.distance_ratio),
        "lip_crossings": lip_crossings,
        "rejection_reasons": reasons,
        "notes": notes,
        "source": learned.provenance,
        "settings": asdict(config),
    }
    with files.atomic(path) as part:
        part.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
