"""Fake suite: every cell of it is of another run."""

import os

from suite.fake_stream import whole

os.write(1, whole().replace(b'{"approach"', b'{"run": "tf9.9.9-py399-cpu+default", "approach"'))
