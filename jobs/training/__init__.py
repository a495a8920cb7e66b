"""Training of the embedded models on the small world."""
