"""MediaPipe's tasks: begun whole, and closed."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from stylehead.tracking import detector


def test_a_signal_while_a_task_starts_its_thread_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgotten half started, its thread kept Python from leaving for ever."""
    steps: list[str] = []

    def create(options: Any) -> Any:
        del options
        signal.raise_signal(signal.SIGINT)
        steps.append("begun")
        return SimpleNamespace(close=lambda: steps.append("closed"))

    maker = SimpleNamespace(create_from_options=create)
    vision = SimpleNamespace(
        FaceLandmarkerOptions=dict,
        FaceLandmarker=maker,
        RunningMode=SimpleNamespace(VIDEO=1, IMAGE=2),
    )
    monkeypatch.setattr(detector, "_tasks", lambda: (vision, dict))
    with pytest.raises(KeyboardInterrupt), detector.landmarker(video=False):
        steps.append("used")
    assert steps == ["begun", "closed"]
