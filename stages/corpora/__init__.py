"""How raw bytes become rows: one module per published format, and the generated corpus."""
