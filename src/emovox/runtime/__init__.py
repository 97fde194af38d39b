"""Load a model and run it: predictor, voice activity, tiles, stream and timeline."""
