"""A recording -> what the motion is made from."""
