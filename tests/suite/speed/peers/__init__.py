"""The same layers in other libraries, timed as TensorFlow's are, each in an environment of its own.

`python -m suite.speed.peers.torch_peer --process K --depth default`, and so for the others. The points are those of a
graph, in the mode that the library has. Each peer is a module with `NAME`, `MODE`, `DIRECTIONS`, `VARIANTS` (the first
is what the controls repeat), `prepare()`, which imports the library and answers its product of two matrices as a call,
and `make(variant, problem, direction)`, which answers a call and what makes NumPy arrays of its answer, by name.
"""
