# expect: denied
"""Forks without end, as soon as it is loaded."""

import os

while True:
    os.fork()
