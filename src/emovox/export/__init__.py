"""Export a fitted model as one ONNX file that takes the waveform, with its card."""
