/* The charts of an evaluation, drawn by plotly.js in place of the server's SVG.

   [data-plots="URL"]   everything below; the URL answers the figures by name
   [data-plot="name"]   one chart: [data-static] is the server's drawing, [data-live] the place for
                        plotly.js, [data-reset] the button back to the whole view
   a[data-fold]         picks a fold out of the lines (empty: all alike); state is in the URL
   a[data-roc]          log: the ROC with a logarithmic false match rate (empty: linear)
   tr[data-fold-row]    the fold's row, marked along

   Where plotly.js or the figures cannot be loaded, the server's drawings stay. */

const CONFIG = {
  displayModeBar: false, // its tools are pointer only; zooming back has a button here
  displaylogo: false,
  showSendToCloud: false,
  responsive: true,
  doubleClick: "reset",
};
const root = document.querySelector("[data-plots]");
const touch = matchMedia("(hover: none)");
let figures = {};

/* What a token stands for now. Colours may be light-dark(): only a computed colour is one. */
function resolver() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const known = new Map([["--sans", getComputedStyle(document.body).fontFamily]]);
  return {
    value(token) {
      if (!known.has(token)) {
        probe.style.color = `var(${token})`;
        known.set(token, getComputedStyle(probe).color);
      }
      return known.get(token);
    },
    done: () => probe.remove(),
  };
}

function resolved(part, tokens) {
  if (typeof part === "string") {
    const token = /^var\((--[\w-]+)\)$/.exec(part)?.[1];
    return token ? tokens.value(token) : part;
  }
  if (Array.isArray(part)) return part.map((each) => resolved(each, tokens));
  if (part === null || typeof part !== "object") return part;
  return Object.fromEntries(Object.entries(part).map(([key, each]) => [key, resolved(each, tokens)]));
}

function chosen(name) {
  return new URL(window.location).searchParams.get(name);
}

/* The name of the figure that a place shows under the present URL. */
function figureOf(place) {
  const name = place.dataset.plot;
  return name === "roc" && chosen("roc") === "log" ? "roc-log" : name;
}

/* A figure under the present colours and fold. */
function dressed(figure) {
  const tokens = resolver();
  const { data, layout } = resolved(figure, tokens);
  tokens.done();
  const fold = chosen("fold");
  for (const trace of data) {
    if (trace.meta?.fold === undefined) continue;
    const isChosen = String(trace.meta.fold) === fold;
    trace.opacity = fold === null ? 0.7 : isChosen ? 1 : 0.2;
    trace.line.width = isChosen ? 3 : trace.line.dash ? 1 : 1.5;
  }
  layout.dragmode = touch.matches ? false : "zoom"; // a finger scrolls the page
  return { data, layout };
}

async function draw(place) {
  const name = figureOf(place);
  const figure = figures[name];
  if (!figure) return;
  const live = place.querySelector("[data-live]");
  const { data, layout } = dressed(figure);
  const first = live.hidden;
  live.hidden = false; // plotly.js measures the place it draws into
  const reset = place.querySelector("[data-reset]");
  if (live.dataset.shows === name) {
    // The part that is zoomed to stays under other colours.
    for (const axis of ["xaxis", "yaxis", "yaxis2"]) {
      if (layout[axis] && live.layout?.[axis]?.range) layout[axis].range = [...live.layout[axis].range];
    }
  } else {
    reset.hidden = true;
  }
  live.dataset.shows = name;
  try {
    await window.Plotly.react(live, data, layout, CONFIG);
  } catch (error) {
    live.hidden = true;
    throw error;
  }
  if (!first) return;
  place.querySelector("[data-static]").hidden = true;
  const leads = data.some((trace) => linkOf(trace.customdata?.[0]));
  live.classList.toggle("leads", leads);
  live.on("plotly_click", ({ points }) => {
    const link = points.map((point) => linkOf(point.customdata)).find(Boolean);
    // A tap is the only way to read a value without a pointer that hovers: it must not lead away.
    if (link && !touch.matches) window.location.assign(link);
  });
  live.on("plotly_relayout", (change) => {
    reset.hidden = !Object.keys(change).some((key) => key.includes(".range["));
  });
  reset.addEventListener("click", () => {
    const whole = figures[figureOf(place)].layout;
    const ranges = {};
    for (const axis of ["xaxis", "yaxis", "yaxis2"]) {
      if (!whole[axis]) continue;
      if (whole[axis].range) ranges[`${axis}.range`] = [...whole[axis].range];
      else ranges[`${axis}.autorange`] = true;
    }
    window.Plotly.relayout(live, ranges);
  });
  place.dataset.drawn = "";
}

function linkOf(customdata) {
  const last = Array.isArray(customdata) ? customdata.at(-1) : undefined;
  return typeof last === "string" && last.startsWith("/") ? last : undefined;
}

async function drawAll() {
  for (const place of root.querySelectorAll("[data-plot]")) await draw(place);
}

/* Draws what the URL says anew. */
function show() {
  for (const name of ["fold", "roc"]) {
    const value = chosen(name) ?? "";
    for (const link of root.querySelectorAll(`a[data-${name}]`)) {
      if (link.dataset[name] === value) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
  for (const row of root.querySelectorAll("[data-fold-row]")) {
    row.classList.toggle("is-current", row.dataset.foldRow === chosen("fold"));
  }
  return drawAll();
}

async function start() {
  if (!window.Plotly) return; // not loaded: the server's drawings stay, and folds are plain links
  const answer = await fetch(root.dataset.plots);
  if (!answer.ok) return;
  figures = await answer.json();
  await drawAll();
  root.dataset.drawn = "";
  root.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-fold], a[data-roc]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const name = "fold" in link.dataset ? "fold" : "roc";
    const url = new URL(window.location);
    if (link.dataset[name]) url.searchParams.set(name, link.dataset[name]);
    else url.searchParams.delete(name);
    url.hash = "";
    window.history.pushState(null, "", url);
    show();
  });
  window.addEventListener("popstate", show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

start();
