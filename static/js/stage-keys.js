/* The keys of the viewer; templates/viewer/keys.html lists them. */

import { bindKeys } from "./keys.js";

const STEP = 10;

export function bindStageKeys(viewer) {
  const { choice, form } = viewer;
  const blend = (by) => {
    viewer.choose("blend", Math.min(100, Math.max(0, Number(choice.get("blend")) + by)));
  };
  const turn = (name, one, other) => {
    if (!choice.field(name)) return false;
    viewer.choose(name, choice.get(name) === one ? other : one);
    return true;
  };
  bindKeys({
    m: () => nextModel(form),
    e: () => nextMethod(viewer),
    h: () => viewer.peek(true),
    "[": () => blend(-STEP),
    "]": () => blend(STEP),
    "+": () => viewer.zoomStep(1),
    "=": () => viewer.zoomStep(1), // the same key without Shift
    "-": () => viewer.zoomStep(-1),
    0: () => viewer.zoomTo(null),
    c: () => turn("compare", "none", choice.get("compare") === "none" ? "original" : "none"),
    s: () => turn("scale", "own", "shared"),
  });
  document.addEventListener("keyup", (event) => {
    if (event.key.toLowerCase() === "h") viewer.peek(false);
  });
  addEventListener("blur", () => viewer.peek(false));
}

/* A model of distances allows one method, and its form has no choice of them. */
function nextMethod(viewer) {
  const offered = [...viewer.form.querySelectorAll("[type=radio][name=method]")].map((field) => field.value);
  if (offered.length < 2) return false;
  viewer.choose("method", offered[(offered.indexOf(viewer.choice.get("method")) + 1) % offered.length]);
  return true;
}

function nextModel(form) {
  const models = form.elements.model;
  if (!models || models.options.length < 2) return false;
  models.selectedIndex = (models.selectedIndex + 1) % models.options.length;
  models.dispatchEvent(new Event("input", { bubbles: true }));
  return true;
}
