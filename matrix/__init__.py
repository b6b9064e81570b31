"""The orchestrator: from a catalog of TensorFlow releases to a published support table."""
