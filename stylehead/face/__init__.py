"""What a face is, in numbers: landmarks, geometry, the generic face, recovered performances."""
