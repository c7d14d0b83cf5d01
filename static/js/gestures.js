/* What a hand does on a face, by mouse, pen or fingers, told to an object of these functions.
   Places are CSS pixels from the upper left of the box.

     point(x, y), leave()             the pointer is here; a mouse has left
     pan(dx, dy)                      one pointer drags, where canPan()
     beginPinch(), pinch(factor, x, y)  two fingers, against their beginning
     step(direction, x, y)            the wheel: 1 in, -1 out where canZoomOut()
     slide(x)                         the slider is dragged; begins where nearSlider(x, coarse)
     peek(on)                         pressed and held still; let go */

const HOLD = 400;
const STILL = 5;

export function listen(box, act) {
  const pointers = new Map();
  let mode = null; // "slide", "pan", "pinch", "peek", or null while it may become one
  let start = null;
  let timer = null;
  let pinch = null;

  const at = (event) => {
    const frame = box.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  };
  const stopPeek = () => {
    clearTimeout(timer);
    if (mode === "peek") act.peek(false);
  };

  box.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    const place = at(event);
    pointers.set(event.pointerId, place);
    box.setPointerCapture(event.pointerId);
    if (pointers.size === 2) {
      stopPeek();
      mode = "pinch";
      pinch = gap(pointers);
      act.beginPinch();
      return;
    }
    start = place;
    mode = act.nearSlider(place.x, event.pointerType !== "mouse") ? "slide" : null;
    act.point(place.x, place.y);
    if (mode) return;
    timer = setTimeout(() => {
      mode = "peek";
      act.peek(true);
    }, HOLD);
  });

  box.addEventListener("pointermove", (event) => {
    const place = at(event);
    const last = pointers.get(event.pointerId);
    if (!last) {
      box.classList.toggle("is-near-slider", act.nearSlider(place.x, false));
      act.point(place.x, place.y);
      return;
    }
    pointers.set(event.pointerId, place);
    if (mode === "pinch") {
      const now = gap(pointers);
      act.pinch(now.length / pinch.length, now.x, now.y);
    } else if (mode === "slide") {
      act.slide(place.x);
    } else if (mode === "pan") {
      act.pan(place.x - last.x, place.y - last.y);
    } else if (mode === null && Math.hypot(place.x - start.x, place.y - start.y) > STILL) {
      clearTimeout(timer);
      if (act.canPan()) mode = "pan";
    }
    if (mode !== "pinch") act.point(place.x, place.y);
  });

  const end = (event) => {
    pointers.delete(event.pointerId);
    stopPeek();
    mode = pointers.size ? "pan" : null;
  };
  box.addEventListener("pointerup", end);
  box.addEventListener("pointercancel", end);
  box.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && !pointers.size) act.leave();
  });
  box.addEventListener("contextmenu", (event) => {
    if (mode === "peek") event.preventDefault(); // a long press of a finger asks for it, too
  });
  box.addEventListener("wheel", (event) => wheel(event, at(event), act), { passive: false });
}

let scrolled = -Infinity;
addEventListener("scroll", () => {
  scrolled = performance.now();
}, { passive: true });
let travelled = 0;

/* A page that is being scrolled keeps scrolling when a face comes under the pointer. */
function wheel(event, place, act) {
  if (event.altKey || event.shiftKey) return;
  if (performance.now() - scrolled < 300 && !event.ctrlKey) return;
  const inwards = event.deltaY < 0;
  if (event.deltaY === 0 || (!inwards && !act.canZoomOut())) return;
  event.preventDefault();
  // A trackpad sends many small steps, a wheel few large ones.
  if (Math.sign(travelled) !== Math.sign(event.deltaY)) travelled = 0;
  travelled += event.deltaMode === 0 ? event.deltaY : event.deltaY * 40;
  if (Math.abs(travelled) < 40 && !event.ctrlKey) return;
  travelled = 0;
  act.step(inwards ? 1 : -1, place.x, place.y);
}

function gap(pointers) {
  const [one, other] = [...pointers.values()];
  return {
    length: Math.max(1, Math.hypot(one.x - other.x, one.y - other.y)),
    x: (one.x + other.x) / 2,
    y: (one.y + other.y) / 2,
  };
}
