"""Fake suite: a whole stream, and then half a line more."""

import os

from suite.fake_stream import whole

os.write(1, whole() + b'{"approach": "fake-')
