"""A person's own files: what they hold, and their entry in sources.yaml."""
