"""Memory that is let go of. To be imported before pyarrow.

A run's tables are read in thousands of small pieces, by many threads. Arrow's own allocator keeps
what each of them freed, and so does the C library, which has a heap for each: a driver that looks
at a hundred thousand rows then takes twice what it needs.
"""

import ctypes
import os
from contextlib import suppress

M_ARENA_MAX = -8
"""As in glibc's malloc.h."""

os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
if "MALLOC_ARENA_MAX" not in os.environ:
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
