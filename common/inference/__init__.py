"""A trained model on photos of any size and number."""
