"""From a fitted model to one ONNX file that takes the waveform, with its card."""
