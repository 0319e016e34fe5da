"""Speed, scale, and comparisons with other tools and models."""
