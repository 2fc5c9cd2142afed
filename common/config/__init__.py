"""What a YAML config may say, and how it is read."""
