"""MediaPipe's tasks: begun whole, and closed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from stylehead.tracking import detector
from tests.conftest import environment


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


def test_what_mediapipe_does_not_need_is_not_loaded() -> None:
    code = """
import sys
from stylehead.tracking.detector import landmarker
with landmarker(video=False):
    print(*sorted({name.split(".")[0] for name in sys.modules}))
import matplotlib.pyplot
print(matplotlib.pyplot.figure)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    loaded, after = done.stdout.splitlines()
    assert "mediapipe" in loaded.split()
    assert not {"matplotlib", "sounddevice"} & set(loaded.split())
    assert "function" in after, "who wants it later gets the real one"


def test_what_is_loaded_already_is_not_left_out() -> None:
    with detector._left_out("json", "nowhere", "nowhere.inside"):
        assert sys.modules["json"] is json
        assert sys.modules["nowhere"].inside is sys.modules["nowhere.inside"]
    assert sys.modules["json"] is json
    assert not {"nowhere", "nowhere.inside"} & set(sys.modules)
