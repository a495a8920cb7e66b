"""Makes this process return freed memory to the system. Imported before pyarrow.

A run reads its tables in thousands of small pieces, by many threads. Arrow's own allocator keeps
what each thread freed, and so does the C library, with a heap for each thread. The driver of a run
of a hundred thousand rows then takes twice the memory that it needs.
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
