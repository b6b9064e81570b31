"""A suite that says its opening line and then nothing, and that a polite signal does not end."""

import signal
import sys
import time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdout.write('{"format": "stream/1", "python": "3.10.0"}\n')
sys.stdout.flush()
time.sleep(3600)
