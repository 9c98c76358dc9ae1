"""The Python interface, with the portrait and the voice of the demo; writes animate.mp4."""

from stylehead import Options, animate, demo_files

image, audio = demo_files()
options = Options(fps=25, overwrite=True)
result = animate(image, audio, "animate.mp4", style="lively", options=options)
print(f"{result.output}: {len(result.motion)} frames of {result.width} x {result.height}")
