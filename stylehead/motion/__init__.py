"""Speech and style -> landmarks, head and eyes."""
