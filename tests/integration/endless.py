"""A suite that says its opening line and then writes to its log for ever, slowly: neither silent nor loud."""

import sys
import time

sys.stdout.write('{"format": "stream/1", "python": "3.10.0"}\n')
sys.stdout.flush()
while True:
    sys.stderr.write("still at work\n")
    sys.stderr.flush()
    time.sleep(0.1)
