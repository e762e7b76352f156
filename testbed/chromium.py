"""Headless Chromium, driven through the DevTools protocol over a pipe (--remote-debugging-pipe).

Messages are JSON, each ended by a NUL byte; the browser reads descriptor 3 and writes descriptor 4.
https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import time
from collections import deque
from pathlib import Path
from select import select
from types import TracebackType
from typing import Any, Literal, Self

from testbed import programs, syscalls

_NAME = "chromium-headless-shell"
_DEADLINE_SECONDS = 30.0
_READ_BYTES = 1 << 16
_LOOK_SECONDS = 0.05
_KEPT_EVENTS = 1000
# The code of the error of an expression that ran in a page while the browser left it (ServerError of
# third_party/inspector_protocol/crdtp/dispatch.h).
_PAGE_LEFT = -32000


class ChromiumError(Exception):
    """The browser ended, did not answer in time, or reported an error; the text is its own."""


class PageLeftError(ChromiumError):
    """The page in which something ran is not there any more."""


class Chromium:
    """A browser with one tab. `folder` is for its profile; no host name is resolved."""

    def __init__(self, folder: Path) -> None:
        # Debian's /usr/bin/chromium-headless-shell is a script that names the binary by an absolute path.
        script = Path(programs.find(_NAME)).resolve()
        binary = script.parent.parent / "lib/chromium" / _NAME
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        self._log = folder / "chromium.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "/bin/sh",
                    "-c",
                    # Opened anew, as dash knows descriptors of one digit only.
                    f'exec "$@" 3</proc/self/fd/{to_browser} 4>/proc/self/fd/{from_browser}',
                    "sh",
                    binary,
                    "--remote-debugging-pipe",
                    f"--user-data-dir={folder / 'profile'}",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-dev-shm-usage",
                    "--disable-background-networking",
                    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(to_browser, from_browser),
                env=_environment(binary),
                preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the process that starts it has one thread
            )
        for descriptor in (to_browser, from_browser):
            os.close(descriptor)
        self._received = b""
        self._events: deque[dict[str, Any]] = deque(maxlen=_KEPT_EVENTS)
        self._number = 0
        self._session: str | None = None

    def __enter__(self) -> Self:
        try:
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def open(self, file: Path, *, width: int, height: int, scheme: Literal["light", "dark"]) -> None:
        """Load a file in a window of this size, for a user who prefers this colour scheme."""
        self.load(file.resolve().as_uri(), width=width, height=height, scheme=scheme)

    def load(
        self, url: str, *, width: int, height: int, scheme: Literal["light", "dark"], scripts: bool = True
    ) -> None:
        """Load an address in the same way; its scripts do not run where `scripts` is false."""
        for domain in ("Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")
        self._call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._events.clear()
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        answer = self._call("Page.navigate", url=url)
        if error := answer.get("errorText"):
            raise ChromiumError(f"{url}: {error}")
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while self.evaluate("document.readyState") != "complete":
            if time.monotonic() > deadline:
                raise ChromiumError(f"{url}: not loaded in {_DEADLINE_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)

    @property
    def requests(self) -> list[str]:
        """The addresses that were asked for since the last `load`."""
        return [event["request"]["url"] for event in self._happened("Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[str]:
        """What the browser has logged since the last `load`: what a policy blocked, and errors of scripts."""
        logged = [event["entry"]["text"] for event in self._happened("Log.entryAdded")]
        thrown = [event["exceptionDetails"]["text"] for event in self._happened("Runtime.exceptionThrown")]
        return logged + thrown

    def press(self, key: str) -> None:
        """Press a key, such as Tab or a letter, and let it go."""
        text = {"text": key} if len(key) == 1 else {}
        codes = {"Tab": 9, "Enter": 13}
        for kind in ("keyDown", "keyUp"):
            self._call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=codes.get(key, 0), **text
            )

    def _happened(self, method: str) -> list[dict[str, Any]]:
        # Events are read on the way to an answer.
        self.evaluate("0")
        return [event["params"] for event in self._events if event["method"] == method]

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, as JSON has it; a promise is waited for.

        None where the browser left the page before there was one.
        """
        try:
            answer = self._call(
                "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
            )
        except PageLeftError:
            return None
        if details := answer.get("exceptionDetails"):
            raise ChromiumError(json.dumps(details))
        return answer["result"].get("value")

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _end(self) -> None:
        # Killed, it would leave its other processes to find out by themselves.
        with contextlib.suppress(ChromiumError):
            self._call("Browser.close")
        try:
            self._process.wait(_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for descriptor in (self._read, self._write):
            os.close(descriptor)

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        deadline = time.monotonic() + _DEADLINE_SECONDS
        self._send(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive(deadline)
            if "method" in answer:
                self._events.append(answer)
            if answer.get("id") == self._number:
                if "error" in answer:
                    left = answer["error"]["code"] == _PAGE_LEFT
                    raise (PageLeftError if left else ChromiumError)(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _send(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._write, data) :]
        except BrokenPipeError as error:
            raise self._ended() from error

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            if not select([self._read], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise ChromiumError(f"no answer in {_DEADLINE_SECONDS:g} s")
            read = os.read(self._read, _READ_BYTES)
            if not read:
                raise self._ended()
            self._received += read
        message, _, self._received = self._received.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def _ended(self) -> ChromiumError:
        status = self._process.wait(_DEADLINE_SECONDS)
        return ChromiumError(f"it exited with {status}: {self._log.read_text(errors='backslashreplace')}")


def _environment(binary: Path) -> dict[str, str]:
    """The environment, with the directory of libpulsecommon, which unpacked packages have no rpath for."""
    unpacked = binary.parent.parent
    further = ":".join(str(path) for path in unpacked.glob("*-linux-gnu/pulseaudio"))
    known = os.environ.get("LD_LIBRARY_PATH", "")
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(part for part in (known, further) if part)}
