"""Photo files, and the batches made of them."""
