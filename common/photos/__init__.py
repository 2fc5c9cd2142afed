"""Photo files: read as they are, written back as they were."""
