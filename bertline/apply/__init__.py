"""What was trained, applied to new texts."""
