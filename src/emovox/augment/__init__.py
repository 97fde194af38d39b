"""Data augmentation: random changes of the waveform by speed, shift, room, noise, tilt, gain and codec."""
