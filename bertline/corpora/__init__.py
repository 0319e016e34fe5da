"""How published bytes become rows: one module per format."""
