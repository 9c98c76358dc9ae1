"""How far the head of a portrait can be turned, and turns brought smoothly within that."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.types import Floats

MOST = np.array([26.0, 26.0])
"""Degrees of pitch and yaw, either way, that a frontal portrait can be turned at most: 20 are still
turned by 19.8."""
FURTHEST = np.array([36.0, 45.0])
"""Degrees from the camera's axis at which the side that was photographed begins to smear."""
LEAST = 8.0  # degrees that any portrait can be turned
BACK = 1 / 3  # degrees less towards the camera for each degree away from it: what was hidden shows
KNEE = 0.6  # of that, up to which nothing changes


class TurnLimits(NamedTuple):
    """Most pitch and yaw that a portrait's own pose can be changed by, degrees."""

    low: Floats
    """(2,) looking up, and to the subject's right; negative."""
    high: Floats
    """(2,) looking down, and to the subject's left."""

    @staticmethod
    def of(rotation: Floats) -> TurnLimits:
        """Return the limits of a portrait whose head is turned by rotation (3, 3).

        Away from the camera there is what is left of FURTHEST; back towards it, and beyond,
        a little less than a frontal portrait has, for a hidden side is shown.
        """
        own = angles_from_rotation(rotation)[:2]
        away = np.minimum(MOST, np.maximum(FURTHEST - np.abs(own), LEAST))
        back = np.maximum(MOST - BACK * np.abs(own), LEAST)
        return TurnLimits(-np.where(own > 0, back, away), np.where(own > 0, away, back))

    def within(self, rotation: Floats) -> Floats:
        """Return a turn (3, 3) that goes smoothly against the limits; roll is free."""
        angles = angles_from_rotation(rotation)
        limit = np.where(angles[:2] < 0, -self.low, self.high)
        over = np.maximum(np.abs(angles[:2]) - KNEE * limit, 0)
        if not over.any():
            return rotation
        room = (1 - KNEE) * limit
        turned = np.minimum(np.abs(angles[:2]), KNEE * limit) + room * np.tanh(over / room)
        return rotation_from_angles(np.append(np.sign(angles[:2]) * turned, angles[2]))
