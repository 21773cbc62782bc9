"""Which files hold models in a form that is not read, and how do they become one that is? By ending or first bytes."""

from __future__ import annotations

from pathlib import Path

_KERAS = (
    "is a Keras model. Convert it: python -m tf2onnx.convert --keras {name} --output model.onnx, or in Keras "
    'model.export("model.onnx", format="onnx").'
)
_TENSORFLOW = (
    "is a TensorFlow graph. Convert the folder of the SavedModel: python -m tf2onnx.convert --saved-model FOLDER "
    "--output model.onnx."
)
_BY_ENDING = {
    ".h5": _KERAS,
    ".hdf5": _KERAS,
    ".keras": _KERAS,
    ".pb": _TENSORFLOW,
    ".tflite": (
        "is a TensorFlow Lite model. Convert it: python -m tf2onnx.convert --tflite {name} --output model.onnx; a "
        "quantised one computes in whole numbers: convert the float model."
    ),
    ".mlmodel": "is a Core ML model. Export the model that it was made of to ONNX.",
    ".mlpackage": "is a Core ML model. Export the model that it was made of to ONNX.",
    ".mat": "is a file of MATLAB. Export the network with exportONNXNetwork(net, 'model.onnx').",
    ".nnet": "is a network in the NNet format. Convert it with nnet2onnx, or pass its layers as [(W, b), ...].",
    ".pmml": "is a PMML model. Export the model that it was made of to ONNX.",
    ".joblib": "may hold any Python objects, which are never unpickled. Load it, and pass the fitted estimator.",
    ".npz": "holds arrays, not which layer they belong to. Pass the layers as [(W, b), ...].",
    ".npy": "holds an array, not a network. Pass the layers as [(W, b), ...].",
    ".mar": "is an archive of TorchServe. Unpack it, and pass its weights with `module=`.",
    ".engine": "is a TensorRT engine. Pass the ONNX model that it was built of.",
    ".ort": "is a model in onnxruntime's own format. Pass the .onnx model that it was made of.",
}


def foreign_form(path: Path) -> str | None:
    """Return what a file is and what to do, to follow its name; None when it is not known to be foreign."""
    found = _BY_ENDING.get(path.suffix.lower())
    if path.is_dir():
        found = _TENSORFLOW if (path / "saved_model.pb").exists() else found
    elif path.is_file():
        try:
            with path.open("rb") as stream:
                start = stream.read(8)
        except OSError:
            return None
        found = _KERAS if start.startswith(b"\x89HDF") else _BY_ENDING[".tflite"] if start[4:] == b"TFL3" else found
    return None if found is None else found.replace("{name}", path.name)
