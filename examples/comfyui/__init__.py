"""A ComfyUI node: a portrait and a recording in, a video in which it speaks or sings out."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
from comfy_api.latest import ComfyExtension, InputImpl, io
from PIL import Image

from . import command


class StyleheadAnimate(io.ComfyNode):
    """Calls `stylehead animate`, which lives in an environment of its own."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="StyleheadAnimate",
            display_name="Portrait speaks (stylehead)",
            category="stylehead",
            description="Make a portrait speak or sing a recording, in the style of a clip.",
            inputs=[
                io.Image.Input("portrait"),
                io.Audio.Input("audio"),
                io.String.Input("style", default="plain", tooltip="A name or a style file."),
                io.String.Input(
                    "style_video", default="", tooltip="Clip to learn the style from, instead."
                ),
                io.Int.Input("fps", default=30, min=10, max=60),
                io.Int.Input("seed", default=0, min=0, max=2**31 - 1),
                io.String.Input(
                    "options",
                    default="",
                    tooltip="Other options of stylehead animate: --crop --size 512 --pose 0.5",
                ),
            ],
            outputs=[io.Video.Output()],
        )

    @classmethod
    def execute(
        cls,
        portrait: np.ndarray,
        audio: dict[str, object],
        style: str,
        style_video: str,
        fps: int,
        seed: int,
        options: str,
    ) -> io.NodeOutput:
        """Make the video of the first picture and recording of a batch."""
        folder = Path(tempfile.mkdtemp(prefix="stylehead-", dir=folder_paths.get_temp_directory()))
        image, sound, video = folder / "portrait.png", folder / "audio.wav", folder / "video.mp4"
        pixels = (np.asarray(portrait[0]).clip(0, 1) * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(image)
        samples = np.asarray(audio["waveform"][0]).clip(-1, 1) * 32767
        channels = [channel.astype("<i2").tobytes() for channel in samples]
        command.write_wav(sound, channels, int(audio["sample_rate"]))
        bar = comfy.utils.ProgressBar(1)
        learned = ["--style-video", style_video] if style_video else ["--style", style]
        files = ["--image", str(image), "--audio", str(sound), "--output", str(video)]
        command.animate(
            [*files, *learned, "--fps", str(fps), "--seed", str(seed), *shlex.split(options)],
            progress=bar.update_absolute,
            check=comfy.model_management.throw_exception_if_processing_interrupted,
        )
        return io.NodeOutput(InputImpl.VideoFromFile(str(video)))


class StyleheadExtension(ComfyExtension):
    """What ComfyUI loads."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Return the nodes."""
        return [StyleheadAnimate]


async def comfy_entrypoint() -> StyleheadExtension:
    """Return the extension."""
    return StyleheadExtension()
