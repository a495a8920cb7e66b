"""Looking after processes of other processes."""

import time

import psutil


def gone(pid):
    """Whether a process ends within half a minute."""
    until = time.monotonic() + 30
    while psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not psutil.pid_exists(pid)
