"""A run: what a training leaves in its folder, and how it goes on."""
