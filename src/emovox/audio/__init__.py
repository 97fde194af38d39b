"""Audio input: decode any file, resample, select channels, remove silence, normalise, cut into frames."""
