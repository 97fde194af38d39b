"""Faces in a video, and the emotion that each shows: what the picture adds to the voice."""
