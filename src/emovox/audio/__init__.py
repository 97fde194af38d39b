"""Decode any file, resample, pick channels, trim silence, normalise and frame."""
