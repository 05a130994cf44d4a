# expect: crash
"""Ends the process before the first call."""

import os

os._exit(0)
