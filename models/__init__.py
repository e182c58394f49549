"""Neural networks: catalogue, verified loading, ONNX Runtime sessions, box decoders."""
