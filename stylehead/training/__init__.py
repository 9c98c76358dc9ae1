"""Training: how every shipped weight file is made again."""
