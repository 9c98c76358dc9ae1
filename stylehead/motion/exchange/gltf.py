"""glTF: the generic face with the shapes as morph targets, and a motion of them and the head."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from stylehead import files
from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import EYES, FACE
from stylehead.motion.exchange.shapes import SHAPES, rows_of_basis, shape_weights
from stylehead.types import Floats, Motion
from stylehead.version import __version__

METRE = 0.09
"""The unit of head space, the distance of the outer eye corners, in metres."""
AXES = np.array([1, -1, -1], np.float32)
"""From head space (y down, z away) to glTF's: y up, z to the viewer."""
FLOAT, INDEX = 5126, 5123
VERTICES, INDICES = 34962, 34963
MAGIC, VERSION, JSON, BINARY = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
LID = 0.95  # of the eye's opening that its upper lid goes in a blink
CREASE = 0.35  # of that way, what the skin above follows


def write_gltf(motion: Motion, path: Path) -> None:
    """Write a motion as a binary glTF file: one mesh, one node, one animation."""
    names, targets = morph_targets()
    weights = shape_weights(motion)[:, [SHAPES.index(name) for name in names]]
    model = FaceModel.embedded()
    mesh = model.mean[:FACE] * AXES * METRE
    triangles = outward(mesh, model.triangles)

    buffer = _Buffer()
    attributes = {
        "POSITION": buffer.add(mesh, "VEC3", target=VERTICES, bounds=True),
        "NORMAL": buffer.add(normals(mesh, triangles), "VEC3", target=VERTICES),
    }
    indices = buffer.add(triangles.astype(np.uint16).ravel(), "SCALAR", INDEX, INDICES)
    morphs = [
        {"POSITION": buffer.add(target, "VEC3", target=VERTICES, bounds=True)} for target in targets
    ]
    seconds = (np.arange(len(motion)) / float(motion.fps)).astype(np.float32)
    times = buffer.add(seconds, "SCALAR", bounds=True)
    channels = {
        "weights": buffer.add(weights.ravel(), "SCALAR"),
        "rotation": buffer.add(quaternions(motion.rotation), "VEC4"),
        "translation": buffer.add(motion.translation * AXES * METRE, "VEC3"),
    }
    document = {
        "asset": {"version": "2.0", "generator": f"stylehead {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "head", "mesh": 0}],
        "meshes": [
            {
                "name": "face",
                "primitives": [
                    {"attributes": attributes, "indices": indices, "targets": morphs, "material": 0}
                ],
                "weights": [0.0] * len(names),
                "extras": {"targetNames": [name[0].lower() + name[1:] for name in names]},
            }
        ],
        "materials": [
            {
                "name": "skin",
                "doubleSided": True,
                "pbrMetallicRoughness": {
                    "baseColorFactor": [0.8, 0.62, 0.52, 1.0],
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.7,
                },
            }
        ],
        "animations": [
            {
                "name": "motion",
                "samplers": [
                    {"input": times, "output": output, "interpolation": "LINEAR"}
                    for output in channels.values()
                ],
                "channels": [
                    {"sampler": number, "target": {"node": 0, "path": channel}}
                    for number, channel in enumerate(channels)
                ],
            }
        ],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    with files.atomic(path) as part:
        part.write_bytes(container(document, bytes(buffer.data)))


def morph_targets() -> tuple[list[str], Floats]:
    """Return the names of the shapes that move the mesh, and how (K, 468, 3), in metres."""
    model, rows = FaceModel.embedded(), rows_of_basis()
    moves = {name: model.basis[row].reshape(478, 3) for name, row in rows.items()}
    for side, eye in zip(("Right", "Left"), EYES, strict=True):
        moves[f"EyeBlink{side}"] = shut_lid(model.mean, eye)
    names = [name for name in SHAPES if name in moves]
    return names, np.stack([moves[name][:FACE] for name in names]) * AXES * METRE


def shut_lid(mesh: Floats, eye: tuple[NDArray[np.intp], ...]) -> Floats:
    """Return how a mesh (478, 3) moves when one eye's upper lid comes down on the lower one."""
    upper, lower, crease, _ = eye
    move = np.zeros_like(mesh)
    way = LID * (mesh[lower] - mesh[upper])[1:-1]
    move[upper[1:-1]] = way
    move[crease] = CREASE * way
    return move


def outward(mesh: Floats, triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return triangles (N, 3) of a face that looks along z, all wound to look outwards.

    The face model's are wound either way; neighbours go along their edge in opposite directions.
    """
    at_edge: dict[frozenset[int], list[int]] = defaultdict(list)
    for number, corners in enumerate(triangles.tolist()):
        for edge in _edges(corners):
            at_edge[frozenset(edge)].append(number)
    wound = triangles.copy()
    left = set(range(len(triangles)))
    while left:
        reached = [left.pop()]
        for number in reached:  # grows while it is walked
            for edge in _edges(wound[number].tolist()):
                for near in left.intersection(at_edge[frozenset(edge)]):
                    if edge in _edges(wound[near].tolist()):
                        wound[near] = wound[near][::-1]
                    left.remove(near)
                    reached.append(near)
        a, b, c = (mesh[wound[reached, corner]] for corner in range(3))
        if np.cross(b - a, c - a)[:, 2].sum() < 0:
            wound[reached] = wound[reached, ::-1]
    return wound


def _edges(corners: list[int]) -> list[tuple[int, int]]:
    return list(zip(corners, [*corners[1:], corners[0]], strict=True))


def normals(mesh: Floats, triangles: NDArray[np.int64]) -> Floats:
    """Return the unit normals (V, 3) of a mesh, each the mean of its triangles' by their area."""
    a, b, c = (mesh[triangles[:, corner]] for corner in range(3))
    total = np.zeros_like(mesh)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], np.cross(b - a, c - a))
    sizes = np.linalg.norm(total, axis=1, keepdims=True)
    ahead = np.array([0, 0, 1], np.float32)  # of a vertex that no triangle has
    return np.where(sizes > 0, total / np.where(sizes > 0, sizes, 1), ahead).astype(np.float32)


def quaternions(rotation: Floats) -> Floats:
    """Return rotations (T, 3, 3) for row vectors as glTF's x, y, z, w (T, 4), without a jump."""
    turns = np.swapaxes(rotation, -1, -2) * np.outer(AXES, AXES)
    found = Rotation.from_matrix(turns.astype(np.float64)).as_quat()
    signs = np.where((found[1:] * found[:-1]).sum(1) < 0, -1, 1)
    found[1:] *= np.cumprod(signs)[:, None]
    return found.astype(np.float32)


class _Buffer:
    """One buffer, a view and an accessor for each array in it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(
        self,
        array: NDArray[Any],
        kind: str,
        component: int = FLOAT,
        target: int | None = None,
        *,
        bounds: bool = False,
    ) -> int:
        """Append an array, float32 or uint16, and return its accessor's number."""
        stored = array.astype("<f4" if component == FLOAT else "<u2")
        view: dict[str, Any] = {
            "buffer": 0,
            "byteOffset": len(self.data),
            "byteLength": stored.nbytes,
        }
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": component,
            "count": len(stored),
            "type": kind,
        }
        if target is not None:
            view["target"] = target
        if bounds:
            flat = stored.reshape(len(stored), -1)
            accessor["min"], accessor["max"] = flat.min(0).tolist(), flat.max(0).tolist()
        self.data += stored.tobytes() + b"\0" * (-stored.nbytes % 4)
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def container(document: dict[str, Any], data: bytes) -> bytes:
    """Return a GLB file: a header, the document and one buffer, each filled up to four bytes."""
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), JSON) + text + struct.pack("<II", len(data), BINARY)
    return struct.pack("<III", MAGIC, VERSION, 12 + len(chunks) + len(data)) + chunks + data
