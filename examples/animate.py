"""The Python interface, with the portrait and the voice of the demo; writes animate.mp4."""

from pathlib import Path

from stylehead import Options, animate, demo_media

with demo_media.files() as (image, audio):
    options = Options(fps=25, overwrite=True)
    made = animate(image, audio, Path("animate.mp4"), style="lively", options=options)
print(f"{made.output}: {made.frames} frames of {made.width} x {made.height}")
