"""One call for one video: portrait, sound, motion, frames, file; and who of several faces sings."""
