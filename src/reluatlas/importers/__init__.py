"""From a model (arrays, scikit-learn, ONNX, torch) to a network, checked against the model itself."""
