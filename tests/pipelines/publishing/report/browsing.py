"""A page in a browser: waiting for conditions, emulation of media, and elements by id."""

import time


def wait(page, condition, *arguments, seconds=20):
    """Wait until the script returns true."""
    ends = time.monotonic() + seconds
    while not page.execute_script(condition, *arguments):
        assert time.monotonic() < ends, f"not within {seconds} s: {condition}"
        time.sleep(0.1)


def emulate(page, feature, value):
    media = {"features": [{"name": feature, "value": value}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def by_id(page, name):
    return page.find_element("id", name)
