"""Opens a page in Chromium and prints, as JSON, what a reader would see. Run by test_page.py, in an environment with playwright."""

from __future__ import annotations

import json
import sys
from typing import Any

from playwright.sync_api import sync_playwright

SEEN = """() => {
  const box = (element) => {
    const {x, y, width, height} = element.getBoundingClientRect();
    return {x, y, width, height};
  };
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  // A colour as the browser shows it: the element's own, upon those behind it.
  const channels = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const texts = all("h1, h2, p, li, small, strong, summary, th, td, text, code").filter((element) => {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    return own && element.checkVisibility() && !element.closest("title");
  }).map((element) => {
    const style = getComputedStyle(element);
    const colour = element.localName === "text" ? style.fill : style.color;
    return {
      text: element.textContent.trim(), size: parseFloat(style.fontSize), colour: channels(colour).slice(0, 3),
      behind: behind(element), label: element.localName === "text",
      chart: element.closest("figure")?.id, ...box(element),
    };
  });
  return {
    title: document.title,
    text: document.body.innerText,
    scripts: all("script").length,
    width: innerWidth,
    scroll_width: document.documentElement.scrollWidth,
    texts,
    figures: all("figure").map((figure) => ({
      id: figure.id, ...box(figure),
      title: figure.querySelector("h2").textContent,
      unit: figure.querySelector(".axis")?.textContent,
      role: figure.querySelector(".plot, .bars")?.getAttribute("role"),
      named: document.getElementById(figure.querySelector(".plot, .bars")?.getAttribute("aria-labelledby"))?.textContent,
      table: all("tr", figure).map((row) => all("th, td", row).map((cell) => cell.textContent)),
      marks: all("[data-series]", figure).map((mark) => ({
        series: mark.dataset.series, place: Number(mark.dataset.place), title: mark.querySelector("title").textContent,
        ...box(mark),
      })),
    })),
    tiles: all(".tiles li").map((tile) => tile.textContent),
  };
}"""


def browse(url: str, program: str, width: int, scheme: Any, picture: str) -> dict[str, Any]:
    """What a window of this width shows in a colour scheme, what the page said to the console, and what it asked for."""
    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        for summary in page.locator("summary").all():
            summary.click()  # as a reader does who wants the numbers
        seen: dict[str, Any] = page.evaluate(SEEN)
        page.screenshot(path=picture, full_page=True)
        browser.close()
    return seen | {"said": said, "asked": asked}


if __name__ == "__main__":
    address, chromium, pixels, colours, file = sys.argv[1:]
    print(json.dumps(browse(address, chromium, int(pixels), colours, file)))
