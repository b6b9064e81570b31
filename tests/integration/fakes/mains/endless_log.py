"""Fake suite: writes to standard error for ever."""

import os

while True:
    os.write(2, b"chatter\n" * 8192)
