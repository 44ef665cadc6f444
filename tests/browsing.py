"""Chromium without a window, for the tests of pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHOWN_WITHIN_MS = 30_000


@contextmanager
def running_chromium() -> "Iterator[Browser]":
    """The browser, for the block; the test is skipped by name where Chromium or playwright is not installed."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    driver.expect.set_options(timeout=SHOWN_WITHIN_MS)
    with driver.sync_playwright() as playwright:
        # Chromium's sandbox does not start for root, which containers run as.
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=root)
        try:
            yield browser
        finally:
            browser.close()
