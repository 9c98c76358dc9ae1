"""A smooth random walk with a tempo: what brows do that the sound does not tell."""

from __future__ import annotations

import numpy as np

from stylehead.types import Floats

TEMPO = (0.6, 6.0)  # rad/s; slower is drift, faster is trembling
WARM_UP = 10.0  # seconds of the process before the first frame


def tempo_of(path: Floats, step: float) -> Floats:
    """Return the tempo in rad/s of each column of (T, K): its speed's spread over its own."""
    speed = np.gradient(path, step, axis=0).std(0)
    return (speed / (path.std(0) + 1e-6)).clip(*TEMPO)


def damped_walk(
    drive: Floats, tempo: Floats, mixing: Floats, step: float, rng: np.random.Generator
) -> Floats:
    """Return (T, K) paths of about unit spread.

    Each column is a critically damped spring pushed by white noise, a second-order autoregressive
    process of the given tempo (K,) in rad/s; mixing (K, K) correlates the noise, drive (T,) in
    [0, 1] scales it over time. `step` is the seconds between frames.
    """
    lead = round(WARM_UP / step)
    noise = rng.standard_normal((lead + len(drive), len(tempo))) @ mixing.T
    noise *= np.concatenate([np.ones(lead), drive])[:, None] * (2 * tempo**1.5 / np.sqrt(step))
    path = np.zeros_like(noise)
    place, speed = np.zeros(len(tempo)), np.zeros(len(tempo))
    for t in range(len(noise)):
        speed = speed + step * (noise[t] - 2 * tempo * speed - tempo**2 * place)
        place = place + step * speed
        path[t] = place
    return path[lead:]
