"""Shared data structures: labels, results, events, model cards, errors and strict configuration."""
