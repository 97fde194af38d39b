"""What every part speaks: labels, results, events, model cards, errors and strict configuration."""
