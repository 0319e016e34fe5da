"""Apply trained models to new texts."""
