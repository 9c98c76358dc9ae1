"""MediaPipe's face landmarker: faces of stills and of the frames of a video."""

from __future__ import annotations

import logging
import os
import sys
import threading
import zipfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stylehead.compute.device import check_process
from stylehead.compute.threads import uninterrupted
from stylehead.errors import missing_library
from stylehead.types import Face, Floats, Pixels
from stylehead.weights.store import resolve

log = logging.getLogger(__name__)
MOST_FACES = 8
UNUSED = ("matplotlib", "matplotlib.pyplot", "sounddevice")
"""What MediaPipe imports to plot and to record: half a second and 25 MB that nothing here needs."""
_muting = threading.Lock()  # standard error is the process's: one thread at a time may turn it off


class FaceLandmarker(Protocol):
    """The part of MediaPipe's task that is used; its own types are not annotated."""

    def detect(self, image: Any) -> Any:
        """Find faces in one still."""
        ...

    def detect_for_video(self, image: Any, timestamp_ms: int) -> Any:
        """Find faces in the next frame of a video."""
        ...


@contextmanager
def landmarker(*, video: bool, faces: int = 1) -> Generator[FaceLandmarker]:
    """Yield a face landmarker for stills or, in time order, for the frames of one video."""
    check_process()
    model = resolve("face_landmarker")
    with _native_talk_muted():
        vision, BaseOptions = _tasks()
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
            running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
            num_faces=faces,
            output_face_blendshapes=True,
        )
    with _at_hand(lambda: vision.FaceLandmarker.create_from_options(options)) as task:
        yield task


@contextmanager
def _at_hand(make: Callable[[], Any]) -> Generator[Any]:
    """Yield a task of MediaPipe, whose thread ends with the block wherever that is interrupted."""
    with ExitStack() as stack:
        with _native_talk_muted(), uninterrupted():
            task = make()
            stack.callback(_close, task)
        yield task


def _close(task: Any) -> None:
    with _native_talk_muted():
        task.close()


def _tasks() -> tuple[Any, Any]:
    try:
        with _left_out(*UNUSED):
            from mediapipe.tasks.python import vision
            from mediapipe.tasks.python.core.base_options import BaseOptions
    except (ImportError, OSError) as error:
        raise missing_library(error) from error
    return vision, BaseOptions


@contextmanager
def _left_out(*names: str) -> Generator[None]:
    """Have what is imported in the block find empty modules in place of those not loaded yet."""
    empty = {name: ModuleType(name) for name in names if name not in sys.modules}
    for name, module in empty.items():
        package, _, own = name.rpartition(".")
        if package in empty:
            setattr(empty[package], own, module)
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name, module in empty.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


@contextmanager
def face_scorer() -> Generator[Callable[[Pixels], float]]:
    """Yield a function: picture (H, W, 3) -> how much its middle looks like a face, 0 to 1.

    It is the landmarker's own first network, whose score the landmarker does not pass on.
    """
    check_process()
    with zipfile.ZipFile(resolve("face_landmarker")) as bundle, _native_talk_muted():
        vision, BaseOptions = _tasks()
        options = vision.FaceDetectorOptions(
            base_options=BaseOptions(model_asset_buffer=bundle.read("face_detector.tflite")),
            min_detection_confidence=0.1,
        )

    def score(pixels: Pixels) -> float:
        size = np.array(pixels.shape[1::-1])
        best = 0.0
        with _native_talk_muted():
            detections = task.detect(_image(pixels)).detections
        for found in detections:
            box = found.bounding_box
            middle = (box.origin_x + box.width / 2, box.origin_y + box.height / 2)
            if np.abs(middle / size - 0.5).max() < 0.25:
                best = max(best, float(found.categories[0].score))
        return best

    with _at_hand(lambda: vision.FaceDetector.create_from_options(options)) as task:
        yield score


@contextmanager
def person_segmenter() -> Generator[Callable[[Pixels], Floats]]:
    """Yield a function: picture (H, W, 3) -> how surely each pixel shows a person, (H, W), 0 to 1.

    The network looks at 256 x 256 pixels of it, so edges are coarse.
    """
    check_process()
    model = resolve("selfie_segmenter")
    with _native_talk_muted():
        vision, BaseOptions = _tasks()
        options = vision.ImageSegmenterOptions(
            base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
            output_confidence_masks=True,
        )

    def segment(pixels: Pixels) -> Floats:
        with _native_talk_muted():
            masks = task.segment(_image(pixels)).confidence_masks
        return np.array(masks[-1].numpy_view(), np.float32).reshape(pixels.shape[:2])

    with _at_hand(lambda: vision.ImageSegmenter.create_from_options(options)) as task:
        yield segment


@contextmanager
def _native_talk_muted() -> Generator[None]:
    """Silence the native libraries' start-up lines, which bypass Python's logging."""
    if log.isEnabledFor(logging.DEBUG):
        yield
        return
    with _muting, open(os.devnull, "w") as nowhere:  # noqa: PTH123 (a device, not a path of ours)
        saved = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def faces_in(task: FaceLandmarker, pixels: Pixels, milliseconds: int | None) -> list[Face]:
    """Return the faces of one picture (H, W, 3); with `milliseconds`, of a video's next frame.

    Meshes (478, 3) are in the picture's pixels, z in the scale of x.
    """
    image = _image(pixels)
    result = (
        task.detect(image) if milliseconds is None else task.detect_for_video(image, milliseconds)
    )
    height, width = pixels.shape[:2]
    size = np.array([width, height, width], np.float32)  # z has the scale of x
    return [
        Face(
            np.array([[p.x, p.y, p.z] for p in points], np.float32) * size,
            np.array([shape.score for shape in shapes], np.float32),
        )
        for points, shapes in zip(result.face_landmarks, result.face_blendshapes, strict=True)
    ]


def _image(pixels: Pixels) -> Any:
    import mediapipe as mp

    return mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))


def mesh_triangles() -> NDArray[np.int64]:
    """Return the (852, 3) triangles of the tracker's mesh, with holes for eyes and mouth."""
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarksConnections

    edges = FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION  # three edges in a row per triangle
    corners = {
        tuple(sorted(edge.start for edge in edges[i : i + 3])) for i in range(0, len(edges), 3)
    }
    return np.array(sorted(corners), np.int64)


def height_of(face: Face) -> float:
    """Return a face's height in pixels, from the top of its mesh to the chin."""
    return float(np.ptp(face.mesh[:, 1]))
