"""How long each way of writing a grouped convolution takes, in this environment: `python -m suite.speed`.

What is measured stands in `layers.py`, how in `sampling.py`, with which programs in `calls.py`. `peers/` measures the
same layers, by the same sampling, in other libraries.
"""
