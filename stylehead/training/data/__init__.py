"""Training data, apart from the stages that use it."""
