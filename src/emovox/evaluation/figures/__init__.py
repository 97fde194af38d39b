"""Predictions and what is computed from them: metrics, intervals, calibration, comparisons."""
