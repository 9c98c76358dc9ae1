"""Encoders of H.264: x264, and those that are part of a processor or a GPU."""

from __future__ import annotations

from dataclasses import dataclass, field

from llvmlite.binding import get_host_cpu_features

from stylehead.options.choices import VideoEncoder

AVX_512 = get_host_cpu_features().get("avx512f", False)
"""Whether x264 would use AVX-512, with which its macroblock tree reads memory that nothing was
written to when a row of macroblocks is no multiple of eight: the same frames give other bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class H264:
    """An encoder of H.264, and the settings that are its own."""

    name: str
    codec: str
    """FFmpeg's name."""
    options: dict[str, str] = field(default_factory=dict[str, str])
    pixels: str = "yuv420p"
    """FFmpeg's name of how it takes colours."""
    hardware: bool = True
    """Whether its bytes are a driver's affair: not promised to be the same every time."""


X264 = H264(
    name="x264",
    codec="libx264",
    options={"preset": "veryfast", "crf": "18"} | ({"x264-params": "asm=avx2"} if AVX_512 else {}),
    hardware=False,
)
# Frames are shown in the order in which they are encoded: encoders of hardware count the times of
# those that are not in ways of their own. Qualities stand near crf 18, and were compared nowhere.
HARDWARE = {
    VideoEncoder.NVENC: H264(
        name="nvenc",
        codec="h264_nvenc",
        options={"preset": "p5", "rc": "vbr", "cq": "20", "b": "0", "bf": "0"},
    ),
    VideoEncoder.QSV: H264(
        name="qsv", codec="h264_qsv", options={"global_quality": "20", "bf": "0"}, pixels="nv12"
    ),
    VideoEncoder.AMF: H264(
        name="amf",
        codec="h264_amf",
        options={"rc": "cqp", "qp_i": "19", "qp_p": "20", "bf": "0"},
        pixels="nv12",
    ),
    VideoEncoder.VIDEOTOOLBOX: H264(
        name="videotoolbox",
        codec="h264_videotoolbox",
        options={"flags": "+qscale", "global_quality": str(65 * 118), "bf": "0"},  # 65 of 100
        pixels="nv12",
    ),
}
