"""Measure how long the viewer computes for a change: ``python -m benchmarks.viewer_frames URL``.

URL is the viewer of an explained pair on a running site. Every control is changed many times in
headless Chromium; a change costs the handler of its event and the frame that draws both faces
(maps, colours, read-out and form), by ``performance.now``. At 60 Hz a frame has 16.7 ms.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

FRAME = 1000 / 60
WATCH = """
window.frames_ = [];
const ask = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => ask((time) => {
  const start = performance.now();
  callback(time);
  window.frames_.push(performance.now() - start);
});
"""
CHANGE = """
async ([name, values, rounds]) => {
  const form = document.querySelector("[data-viewer-form]");
  const costs = [];
  for (let round = 0; round < rounds; round++) {
    for (const value of values) {
      const fields = [...form.querySelectorAll(`[name=${name}]`)];
      const field = fields.find((each) => each.value === value) ?? fields[0];
      if (field.type === "radio" || field.type === "checkbox") field.checked = !field.checked;
      else field.value = value;
      window.frames_.length = 0;
      const start = performance.now();
      field.dispatchEvent(new Event("input", { bubbles: true }));
      const handled = performance.now() - start;
      await new Promise((done) => setTimeout(done, 40));
      costs.push(handled + Math.max(0, ...window.frames_));
    }
  }
  return costs;
}
"""
CONTROLS: dict[str, list[str]] = {
    "method": ["II", "III", "I"],
    "view": ["map", "masked", "original", "xmap"],
    "blend": ["90", "35", "60", "100"],
    "sign": ["similar", "dissimilar", "absolute", "all"],
    "top": ["80", "40", "10", "100"],
    "base": ["grey", "colour"],
    "colours": ["rdbu", "piyg"],
    "weight_7": ["2", "3.5", "0.4", "1"],
    "patch": ["7", "7"],
    "normalise": ["coverage", "count"],
    "scale": ["shared", "own"],
    "compare": ["original", "map", "III", "none"],
}


def main() -> None:
    """Print p50, p95 and the largest cost of each control in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("url", help="the viewer of an explained pair")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(WATCH)
        page.goto(options.url)
        page.wait_for_selector("[data-viewer][data-drawn]")
        print(f"{'control':<10} {'n':>4} {'p50':>7} {'p95':>7} {'max':>7}  ms")
        every: list[float] = []
        for name, values in CONTROLS.items():
            costs: list[float] = page.evaluate(CHANGE, [name, values, options.rounds])
            every += costs
            print(_row(name, costs))
        print(_row("all", every))
        print(json.dumps({"frame_ms": FRAME, "p95_ms": float(np.percentile(every, 95))}))
        browser.close()


def _row(name: str, costs: list[float]) -> str:
    p50, p95 = np.percentile(costs, [50, 95])
    figures: list[Any] = [p50, p95, max(costs)]
    return f"{name:<10} {len(costs):>4} " + " ".join(f"{figure:7.2f}" for figure in figures)


if __name__ == "__main__":
    main()
