"""Training and measuring voice and face together, on corpora of videos."""
