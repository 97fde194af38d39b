"""Changes of the waveform that a model should not mind: speed, place, room, noise, microphone, level, line."""
