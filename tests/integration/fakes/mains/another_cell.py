"""Fake suite: of one cell it says that it is the one beside it, which is then told twice."""

import os

from suite.fake_stream import whole

os.write(1, whole().replace(b'"fake-hang"', b'"fake-hang-before"', 1))
