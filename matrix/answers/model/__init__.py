"""Reads model files without TensorFlow. Standard library only and Python 3.6: the probe carries this folder too."""
