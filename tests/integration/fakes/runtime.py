"""Fake runtime: one lane, and no GPU."""


def lane(cell):
    return 0


def gpus():
    return ()


def is_for_gpu():
    return False
