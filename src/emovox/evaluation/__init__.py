"""Protocols, metrics, calibration, latency, plots and reports."""
