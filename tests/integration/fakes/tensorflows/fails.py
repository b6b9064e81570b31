"""Fake TensorFlow: cannot be imported."""

raise ImportError("libcudart.so.10.0: cannot open shared object file")
