"""The report: one HTML page made of the stored tables and figures."""
