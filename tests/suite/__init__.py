"""What runs inside every target: each way of writing a grouped convolution, observed on this TensorFlow.

Python 3.6 to 3.14, TensorFlow 1.0 to nightly, NumPy; nothing of the orchestrator.
"""
