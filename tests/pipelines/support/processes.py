"""Checks on processes that other processes started."""

import time

import psutil


def gone(pid):
    """Whether a process ends within thirty seconds."""
    until = time.monotonic() + 30
    while psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not psutil.pid_exists(pid)
