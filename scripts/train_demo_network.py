"""Train the network that `reluatlas demo` opens, and choose the three digits that its slice goes through.

    python scripts/train_demo_network.py [FOLDER]

Data: the 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships (a copy of the test set of the UCI data
set "Optical Recognition of Handwritten Digits", Alpaydin and Kaynak, CC BY 4.0), pixels divided by 16. A quarter is
held out. Writes `demo_digits.onnx` and `demo_digits.npz` into FOLDER (default: the package's datasets folder). The
seeds are fixed; another version of scikit-learn or of the BLAS may still give other weights, so the files are
committed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import reluatlas

HIDDEN = (32, 16)
SPLIT_SEED = 0
TRAIN_SEED = 0
TEST_SHARE = 0.25
PIXEL_MAX = 16.0
CLASSES = (3, 5, 8)
OPSET = 17
IR_VERSION = 10

Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


def split_digits() -> list[NDArray]:
    """Return training images, test images, training labels, test labels."""
    images, labels = load_digits(return_X_y=True)
    return train_test_split(images / PIXEL_MAX, labels, test_size=TEST_SHARE, random_state=SPLIT_SEED, stratify=labels)


def train(images: NDArray, labels: NDArray) -> Layers:
    """Return (weight, bias) of each layer, float32, weights of shape (out, in)."""
    model = MLPClassifier(
        HIDDEN, activation="relu", alpha=1e-3, learning_rate_init=3e-3, max_iter=400, random_state=TRAIN_SEED
    )
    model.fit(images, labels)
    return [
        (np.ascontiguousarray(weight.T, dtype=np.float32), bias.astype(np.float32))
        for weight, bias in zip(model.coefs_, model.intercepts_, strict=True)
    ]


def logits(layers: Layers, images: NDArray) -> NDArray[np.float64]:
    """Return the outputs of the float32 weights, computed in float64."""
    values = images.astype(np.float64)
    for position, (weight, bias) in enumerate(layers):
        values = (np.maximum(values, 0.0) if position else values) @ weight.T.astype(np.float64) + bias
    return values


def to_onnx(layers: Layers, facts: dict[str, str]) -> onnx.ModelProto:
    """Return the network as an ONNX model: Gemm, Relu, Gemm, Relu, Gemm."""
    nodes, initializers, tensor = [], [], "pixels"
    for position, (weight, bias) in enumerate(layers):
        last = position == len(layers) - 1
        names = f"fc{position + 1}.weight", f"fc{position + 1}.bias"
        initializers += [
            numpy_helper.from_array(value, name) for value, name in zip((weight, bias), names, strict=True)
        ]
        result = "logits" if last else f"fc{position + 1}"
        nodes.append(helper.make_node("Gemm", [tensor, *names], [result], name=f"fc{position + 1}", transB=1))
        tensor = result
        if not last:
            nodes.append(helper.make_node("Relu", [tensor], [f"relu{position + 1}"], name=f"relu{position + 1}"))
            tensor = f"relu{position + 1}"
    graph = helper.make_graph(
        nodes,
        "demo_digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", layers[0][0].shape[1]])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", layers[-1][0].shape[0]])],
        initializers,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="reluatlas scripts/train_demo_network.py",
        producer_version=reluatlas.__version__,
    )
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    return model


def choose_digits(layers: Layers, images: NDArray, labels: NDArray) -> NDArray[np.intp]:
    """Return, for each of CLASSES, the first test image that the network gets right."""
    right = logits(layers, images).argmax(axis=1) == labels
    return np.array([np.flatnonzero(right & (labels == digit))[0] for digit in CLASSES])


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(reluatlas.__file__).parent / "datasets"
    train_images, test_images, train_labels, test_labels = split_digits()
    layers = train(train_images, train_labels)
    n_right = int((logits(layers, test_images).argmax(axis=1) == test_labels).sum())
    shape = "-".join(str(n) for n in (layers[0][0].shape[1], *HIDDEN, layers[-1][0].shape[0]))
    print(f"{shape}: {n_right} of {len(test_labels)} test digits right ({n_right / len(test_labels):.4f})")

    facts = {
        "architecture": shape,
        "data": "scikit-learn's load_digits, 8 x 8 pixels / 16",
        "n_train": str(len(train_labels)),
        "n_test": str(len(test_labels)),
        "n_test_right": str(n_right),
        "split_seed": str(SPLIT_SEED),
        "train_seed": str(TRAIN_SEED),
        "made_by": "scripts/train_demo_network.py: scikit-learn MLPClassifier, Adam, weights rounded to float32",
    }
    (folder / "demo_digits.onnx").write_bytes(to_onnx(layers, facts).SerializeToString(deterministic=True))
    chosen = choose_digits(layers, test_images, test_labels)
    np.savez(
        folder / "demo_digits.npz",
        images=test_images[chosen].astype(np.float32),
        labels=test_labels[chosen].astype(np.int64),
        test_index=chosen.astype(np.int64),
    )
    print(f"wrote demo_digits.onnx and demo_digits.npz (digits {', '.join(map(str, CLASSES))}) into {folder}")


if __name__ == "__main__":
    main()
