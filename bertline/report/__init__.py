"""The report: one HTML page of the stored tables and figures, from Jinja2 templates."""
