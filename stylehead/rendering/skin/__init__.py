"""The skin: folds and shading that come and go with expression and the head's turn."""
