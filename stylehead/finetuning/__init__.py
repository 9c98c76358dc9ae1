"""The paper's style transfer: what finetune-style does."""
