"""What tests need to look at pages as people do: Debian's Chromium, and a JupyterLab of the test's own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import autograder

REPOSITORY = Path(autograder.__file__).parents[1]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
TOKEN = "of-the-tests"


def jupyters_environment(home: Path) -> dict[str, str]:
    """What programs of Jupyter's start with: their folders are the test's own."""
    settings = home / "settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"windowingMode": "none"}')  # every cell is there, not only those in view
    news = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONWARNINGS": "ignore",
        "LANG": "C.UTF-8",
    }


@contextmanager
def jupyterlab(folder: Path, environment: dict[str, str], *arguments: str) -> Iterator[str]:
    """JupyterLab in a folder, on a free port of the loopback interface: its address."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}", *arguments]
    with started(command, folder, environment) as url:
        yield url


@contextmanager
def started(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """A command that starts a server of Jupyter's, itself or in its place: the server's address."""
    runtime = Path(environment["JUPYTER_RUNTIME_DIR"])
    runtime.mkdir(parents=True, exist_ok=True)
    log = runtime / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 120
        server: dict[str, Any] | None = None
        while server is None and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
            for known in runtime.glob("jpserver-*.json"):
                with contextlib.suppress(ValueError):  # it is there before it is written whole
                    server = json.loads(known.read_text())
        assert server is not None, log.read_text()
        yield server["url"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def chromium_browser(program: Path | None = None) -> Iterator[Any]:
    """Chromium, or what starts it, driven by Playwright. Where it is missing the test is skipped, and fails in CI."""
    if CHROMIUM is None:
        missing = (
            "Chromium is missing, so nobody looked at this in a browser: install it (apt-get install chromium), or "
            "name it: CHROMIUM=/path/to/chrome."
        )
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program or CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def assert_everybody_can_read(page: Any) -> None:
    """By WCAG 2.2 AA as far as axe-core can tell, with headings in order, and without scrolling sideways."""
    from axe_playwright_python.sync_playwright import Axe

    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    rules = {rule: {"enabled": True} for rule in ("heading-order", "landmark-one-main", "region", "empty-table-header")}
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}, "rules": rules})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
