"""Turns a target into an environment that can run the suite: engines, images, interpreters, emulators."""
