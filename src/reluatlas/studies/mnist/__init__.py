"""The paper's study of MNIST networks: train them, open them at every image, compare and reduce their maps."""
