"""The stages of a training, one after another inside each fold: start, encoder, head, calibration."""
