"""A page in Debian's chromium; where there is none the test skips, and says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def browser_page(url: str, wide: int = 390, high: int = 800, kept: Mapping[str, str] | None = None) -> Iterator[Any]:
    """The page at an address, as on a telephone; an error of its script fails the test.

    `kept` is what the browser remembers of an earlier visit: entries of its local storage.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; next: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    troubles: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        page = browser.new_page(viewport={"width": wide, "height": high})
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append("a script in what is shown ran"))
        for key, value in (kept or {}).items():
            page.add_init_script(f"localStorage.setItem({json.dumps(key)}, {json.dumps(value)})")
        page.goto(url)
        yield page
        browser.close()
    assert troubles == []


_CONTRAST = """() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const share = [0.2126, 0.7152, 0.0722];
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = colour => share.reduce((sum, part, place) => sum + part * linear(colour[place] / 255), 0);
  const behind = made => {
    for (; made; made = made.parentElement) {
      const colour = parts(getComputedStyle(made).backgroundColor);
      if (colour.length < 4 || colour[3]) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const made of document.querySelectorAll("body *")) {
    const written = [...made.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!written || !made.getClientRects().length) continue;
    const both = [light(parts(getComputedStyle(made).color)), light(behind(made))];
    const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    if (ratio < 4.5) poor.push(made.textContent.trim() + " " + ratio.toFixed(2));
  }
  return poor;
}"""


def hard_to_read(page: Any) -> list[str]:
    """Visible texts whose contrast is below 4.5, which WCAG 2.2 AA asks for, each with its contrast."""
    found: list[str] = page.evaluate(_CONTRAST)
    return found
