"""Scores of classifiers: intervals, differences, breakdown, calibration, thresholds, overfitting.

`names` has the names of sets, models and columns, for who writes tables and who reads them.
"""
