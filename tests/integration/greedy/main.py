"""A suite that itself, and no worker of it, takes all memory."""

import sys

sys.stdout.write('{"format": "stream/1", "python": "3.10.0"}\n')
sys.stdout.flush()
kept = []
while True:
    kept.append(b"x" * 32 * 2**20)
