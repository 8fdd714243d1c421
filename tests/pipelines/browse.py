"""Opens a page in Chromium and prints, as JSON, what a reader would see. Run by test_page.py, in an environment with playwright."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Page

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
  const panels = all(".panel");
  const texts = all("h1, h2, h3, p, li, small, strong, span, summary, th, td, text, code").filter((element) => {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    return own && element.checkVisibility() && !element.closest(".unseen");
  }).map((element) => {
    const style = getComputedStyle(element);
    const colour = element.localName === "text" ? style.fill : style.color;
    return {
      text: element.textContent.trim(), size: parseFloat(style.fontSize), colour: channels(colour).slice(0, 3),
      behind: behind(element), label: element.localName === "text",
      chart: element.closest("figure")?.id, panel: panels.indexOf(element.closest(".panel")), ...box(element),
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
      table: all("tr", figure).map((row) => all("th, td", row).map((cell) => cell.textContent)),
      panels: all(".panel", figure).map((panel) => ({
        ...box(panel),
        number: panels.indexOf(panel),
        role: panel.querySelector("svg").getAttribute("role"),
        named: panel.querySelector("svg").getAttribute("aria-label"),
        zero: panel.querySelector(".zero")?.getBoundingClientRect().y,
        tips: all(".tip", panel).map((tip) => tip.textContent),
        said: all("input", panel).map((input) => input.getAttribute("aria-label")),
        marks: all("[data-series]", panel).map((mark) => ({
          series: mark.dataset.series, place: Number(mark.dataset.place), ...box(mark),
        })),
      })),
    })),
    tiles: all(".tiles li").map((tile) => [...tile.children].map((part) => part.textContent.trim())),
  };
}"""
TIPS = """() => [...document.querySelectorAll(".tip")].filter((tip) => tip.checkVisibility()).map((tip) => {
  const {x, y, width, height} = tip.getBoundingClientRect();
  return {text: tip.textContent, chart: tip.closest("figure").id, x, y, width, height,
    scroll_width: document.documentElement.scrollWidth};
})"""
FOCUS = """() => ({
  group: document.activeElement.name, said: document.activeElement.getAttribute("aria-label"),
})"""


def point(page: Page) -> list[dict[str, Any]]:
    """What each chart says to a mouse at its last place, and to the keyboard: the second place, and where Tab leads from there."""
    found = []
    for panel in page.locator(".panel").all():
        panel.locator(".spot").last.hover()
        mouse = page.evaluate(TIPS)
        page.mouse.move(0, 0)
        panel.locator("input").first.focus()
        page.keyboard.press("ArrowRight")
        keyboard = page.evaluate(TIPS)
        there = page.evaluate(FOCUS)
        page.keyboard.press("Tab")
        found.append({"mouse": mouse, "keyboard": keyboard, "focus": there, "next": page.evaluate(FOCUS)})
    return found


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
        pointed = point(page)
        page.screenshot(path=picture, full_page=True)
        browser.close()
    return seen | {"said": said, "asked": asked, "pointed": pointed}


if __name__ == "__main__":
    address, chromium, pixels, colours, file = sys.argv[1:]
    print(json.dumps(browse(address, chromium, int(pixels), colours, file)))
