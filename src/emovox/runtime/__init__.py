"""Load a model and run it: predictor, voice activity detection, tiles, streams and timeline."""
