"""The terms of the loss, a file a family, and their weighted sum."""
