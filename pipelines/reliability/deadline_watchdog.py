"""The process beside a worker that kills the worker if a step takes too long: see `deadline`.

Reads orders from standard input, one JSON object per line: `seconds` until the worker is killed
(null disables), and with `uri`, `options`, `name` and `record` the attempt record to write before.
"""

import json
import os
import queue
import signal
import sys
import threading
from typing import Any

WRITING = 10.0
"""Timeout of the attempt record in seconds: a store that hangs must not keep the worker alive."""


def main() -> None:
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    order: dict[str, Any] = {"seconds": None}
    while True:
        try:
            line = orders.get(timeout=order["seconds"])
        except queue.Empty:
            _end(order)
            os._exit(0)  # the listener may still wait for an order
        if not line:
            return
        order = json.loads(line)


def _listen(orders: "queue.SimpleQueue[str]") -> None:
    for line in sys.stdin:
        orders.put(line)
    orders.put("")


def _end(order: dict[str, Any]) -> None:
    if "name" in order:
        writer = threading.Thread(target=_write, args=(order,), daemon=True)
        writer.start()
        writer.join(WRITING)
    os.kill(int(sys.argv[1]), signal.SIGKILL)


def _write(order: dict[str, Any]) -> None:
    from pipelines.storage import Storage  # imported late: slower than the rest of this process

    Storage(order["uri"], order["options"]).write(
        order["name"], json.dumps(order["record"]).encode()
    )


if __name__ == "__main__":
    main()
