"""Measurements of speed and memory on this machine, side by side with the usual alternatives: `emovox benchmark`."""
