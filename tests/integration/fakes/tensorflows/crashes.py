"""Fake TensorFlow: its import meets an instruction that the processor does not have."""

import os
import signal
import time

os.kill(os.getpid(), signal.SIGILL)
time.sleep(60)
