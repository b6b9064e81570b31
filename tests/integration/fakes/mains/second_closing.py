"""Fake suite: a whole stream, and then another closing line."""

import os

from suite.fake_stream import whole

os.write(1, whole() + b'{"closing": 57, "seconds": {}}\n')
