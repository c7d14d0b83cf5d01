"""ONNX graphs: reading, probing, and edits that change no row of what a model answers."""
