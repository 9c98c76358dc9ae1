"""The same portrait and sound in two built-in styles; writes plain.mp4 and lively.mp4."""

from stylehead import Options, animate, demo_files

image, audio = demo_files()
for style in ("plain", "lively"):
    options = Options(overwrite=True)
    print(animate(image, audio, f"{style}.mp4", style=style, options=options).output)
