"""The settings: what they are, what makes sense, and where they come from."""
