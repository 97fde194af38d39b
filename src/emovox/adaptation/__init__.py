"""Adaptation to a voice: profiles and their estimators. All is arithmetic on statistics, without the encoder."""
