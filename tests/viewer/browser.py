"""A headless Chromium, driven by its own protocol: enough to look at a page and to click."""

from __future__ import annotations

import base64
import json
import subprocess
import time
import urllib.request
from contextlib import contextmanager

from websockets.sync.client import connect

from mvrecon.formats.images import decode_rgb

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--window-size=1280,800",
    "--remote-debugging-port=0",
)
LAUNCH_S, LOOK_S = 60.0, 60.0


class Page:
    """The one page of a browser.

    Attributes:
        errors: what scripts threw or wrote as errors.
    """

    def __init__(self, socket):
        self._socket, self._number = socket, 0
        self.errors = []
        for domain in ("Page", "Runtime"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        self._number += 1
        call = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(call))
        while True:
            told = json.loads(self._socket.recv(timeout=LOOK_S))
            self._note(told)
            if told.get("id") == self._number:
                return told["result"]

    def _note(self, told):
        if told.get("method") == "Runtime.exceptionThrown":
            self.errors.append(told["params"]["exceptionDetails"])
        called = told["params"] if told.get("method") == "Runtime.consoleAPICalled" else {}
        if called.get("type") == "error":
            self.errors.append(called["args"])

    def evaluate(self, code):
        return self.send("Runtime.evaluate", expression=code, returnByValue=True)["result"].get(
            "value"
        )

    def picture(self):
        """What is seen, RGB (h, w, 3)."""
        shot = self.send("Page.captureScreenshot", format="jpeg", quality=95)
        return decode_rgb(base64.b64decode(shot["data"]))

    def click(self, x, y):
        at = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        time.sleep(0.5)
        self.send("Input.dispatchMouseEvent", type="mousePressed", **at)
        self.send("Input.dispatchMouseEvent", type="mouseReleased", **at)

    def press(self, text):
        """Click the button that has this text."""
        self.evaluate(
            f"[...document.querySelectorAll('button')]"
            f".find(one => one.textContent.includes({json.dumps(text)})).click()"
        )

    def await_picture(self, is_there):
        """The first picture that is as wanted."""
        return wait_for(lambda: self._if(is_there))

    def _if(self, is_there):
        picture = self.picture()
        return picture if is_there(picture) else None


def wait_for(get, seconds=LOOK_S):
    """What `get` gives, once it gives anything."""
    end = time.monotonic() + seconds
    while (got := get()) is None:
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)
    return got


@contextmanager
def page_of(program, address, profile):
    """A page that has gone to an address."""
    words = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        note = profile / "DevToolsActivePort"
        port = wait_for(
            lambda: next(iter(note.read_text().split()), None) if note.is_file() else None, LAUNCH_S
        )

        def target():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [one for one in json.load(answer) if one["type"] == "page"]
            return pages[0]["webSocketDebuggerUrl"] if pages else None

        with connect(wait_for(target, LAUNCH_S), max_size=None) as socket:
            page = Page(socket)
            page.send("Page.navigate", url=address)
            yield page
    finally:
        child.terminate()
        child.wait()
