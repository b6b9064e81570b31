"""The orchestrator: from a catalog of TensorFlow releases to a published support table."""

__version__ = "0.2.0"
