"""The person's own gestures: stretches of a clip's motion, chosen by sound and joined."""
