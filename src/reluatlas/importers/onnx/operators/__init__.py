"""The operators of ONNX."""
