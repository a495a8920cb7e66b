"""The process beside a worker that ends it when a step takes too long: see `watch`.

Told in lines of JSON what to watch over: `seconds` until the end, none for no end, and with
`uri`, `options`, `name` and `note` what to write before it.
"""

import json
import os
import queue
import signal
import sys
import threading
from typing import Any

WRITING = 10.0
"""Seconds that a note may take: a store that hangs must not keep a worker alive that hangs."""


def main() -> None:
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    order: dict[str, Any] = {"seconds": None}
    while True:
        try:
            line = orders.get(timeout=order["seconds"])
        except queue.Empty:
            _end(order)
            os._exit(0)  # whatever the listener waits for
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
    from pipelines.storage import Storage  # takes longer than all the rest of this process

    Storage(order["uri"], order["options"]).write(order["name"], json.dumps(order["note"]).encode())


if __name__ == "__main__":
    main()
