"""Fake suite: dies by a real-time signal, for which Python has no name."""

import os
import sys

sys.stdout.write('{"format": "stream/1", "python": "3.0.0"}\n')
sys.stdout.flush()
os.kill(os.getpid(), 35)
