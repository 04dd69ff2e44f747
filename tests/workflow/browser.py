"""A real browser without a window: Chromium, spoken to in the DevTools protocol through a pair of pipes."""

import base64
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1200,1400",
    "--remote-debugging-pipe", "about:blank",
)  # fmt: skip
PATIENCE = 60
"""Seconds to wait for anything that a page should do."""
LOCAL = ("file:", "data:", "blob:", "about:")


class LeftPageError(Exception):
    """The page was left while it was asked."""


class Page:
    """The one tab of a browser.

    Attributes:
        errors: what scripts threw, and what was written to the console as an error.
        foreign: addresses outside this machine that the page asked for.
    """

    def __init__(self, write: io.RawIOBase, read: io.RawIOBase) -> None:
        self._write, self._read, self._buffer, self._count, self._session = write, read, b"", 0, ""
        self.errors: list[str] = []
        self.foreign: list[str] = []
        targets = self._call("Target.getTargets")["targetInfos"]
        tab = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        result = self._call("Page.navigate", url=address)
        assert "errorText" not in result, f"{address}: {result['errorText']}"
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self._holds(condition):
            assert time.monotonic() < end, f"still not true: {condition}"
            time.sleep(0.1)

    def _holds(self, condition: str) -> bool:
        try:
            return bool(self.run(condition))
        except LeftPageError:  # between two pages; the next one may have an answer
            return False

    def hover(self, selector: str) -> None:
        """Move the pointer over an element."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = self.run(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box})")
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def dark(self) -> None:
        """Prefer dark colours from now on."""
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def choose(self, selection: str, value: str) -> None:
        """Choose an entry of a list."""
        script = "(one => { one.value = %s; one.dispatchEvent(new Event('change')); })(document.getElementById(%s))"
        self.run(script % (json.dumps(value), json.dumps(selection)))

    def resize(self, width: int, height: int) -> None:
        """Show pages in a window of so many pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def screenshot(self) -> Image.Image:
        """Return what the window shows."""
        data = self._call("Page.captureScreenshot", format="png")["data"]
        return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")

    def download_to(self, folder: Path) -> None:
        """Put downloads into a folder."""
        self._call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def click(self, text: str) -> None:
        """Click the link or button that says this, once it is there."""
        find = f"[...document.querySelectorAll('a, button')].find(one => one.innerText.trim() === {json.dumps(text)})"
        self.wait(f"Boolean({find})")
        self.run(f"{find}.click()")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                error = answer.get("error", {}).get("message", "")
                if "navigated" in error:
                    raise LeftPageError(error)
                assert not error, f"{method}: {error}"
                return answer["result"]
            self._notice(answer.get("method", ""), answer.get("params", {}))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = self._read.read(1 << 16)
            assert chunk, "the browser has ended"
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _notice(self, event: str, about: dict[str, Any]) -> None:
        wrong: dict[str, Callable[[], bool]] = {
            "Runtime.exceptionThrown": lambda: True,
            "Runtime.consoleAPICalled": lambda: about["type"] in ("error", "assert"),
            "Log.entryAdded": lambda: about["entry"]["level"] == "error",
        }
        if event in wrong and wrong[event]():
            self.errors.append(json.dumps(about)[:1000])
        if event == "Network.requestWillBeSent" and not about["request"]["url"].startswith(LOCAL):
            self.foreign.append(about["request"]["url"])


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start Chromium with a fresh profile folder and yield its tab; it reads descriptor 3 and writes descriptor 4."""
    assert PROGRAM
    (child_in, to_child), (from_child, child_out) = os.pipe(), os.pipe()
    shell = f'exec "$@" 3<&{child_in} 4>&{child_out}'
    command = ["bash", "-c", shell, "browser", PROGRAM, f"--user-data-dir={profile}", *OPTIONS]
    process = subprocess.Popen(command, pass_fds=(child_in, child_out), stderr=subprocess.DEVNULL)
    os.close(child_in)
    os.close(child_out)
    try:
        with os.fdopen(to_child, "wb", buffering=0) as write, os.fdopen(from_child, "rb", buffering=0) as read:
            yield Page(write, read)
    finally:
        process.terminate()
        process.wait(30)
