/* Triage, enhanced. Everything here also works by plain forms and links.

   [data-setup]    the form of choices: a changed field counts the queue anew, in [data-counts]
   [data-answer]   the form of an answer; its button[data-key] answers, its radios are certainties
   [data-key]      a button or link that this key presses
   [data-go-on]    the link that keeps an answer: Enter, from anywhere
   [data-pending]  says that an answer waits for a certainty */

/* ------------------------------------------------------------------------------- answering */
const form = document.querySelector("[data-answer]");
const CERTAINTIES = { 6: "60", 7: "70", 8: "80", 9: "90", 0: "100" };
let waiting = null; // the button of an answer that came before its certainty
let sent = false;

function radios() {
  return [...form.querySelectorAll("input[name=certainty]")];
}

/* Say that an answer waits; the next certainty sends it. So "8 s" and "s 8" are the same. */
function wait(button) {
  waiting?.removeAttribute("data-waiting");
  waiting = button;
  waiting.setAttribute("data-waiting", "");
  const word = button.value === "same" ? "Same" : "Different";
  form.querySelector("[data-pending]").textContent = `${word}: how certain? Press 6 to 9, or 0 for 100 %.`;
}

function press(button) {
  const needsCertainty = button.value !== "unsure" && !radios().some((each) => each.checked);
  if (needsCertainty) wait(button);
  else form.requestSubmit(button);
}

function choose(value) {
  const radio = radios().find((each) => each.value === value);
  radio.checked = true;
  if (waiting) form.requestSubmit(waiting);
}

form?.addEventListener("submit", (event) => {
  if (sent) event.preventDefault(); // a double click is one answer
  sent = true;
});
window.addEventListener("pageshow", () => {
  sent = false;
});

document.addEventListener("keydown", (event) => {
  if (!form || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input[type=text], select, textarea")) return;
  if (event.key in CERTAINTIES) {
    event.preventDefault();
    choose(CERTAINTIES[event.key]);
  } else if (event.key === "Enter") {
    if (event.target.closest("a, button, summary")) return; // they know what to do
    event.preventDefault(); // in a field it would send the form without an answer
    document.querySelector("[data-go-on]")?.click();
  } else {
    const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (!target) return;
    event.preventDefault();
    if (target.form === form) press(target);
    else target.click();
  }
});

/* -------------------------------------------------------------------------------- choosing */
const setup = document.querySelector("[data-setup]");
let counting = null;

async function count() {
  counting?.abort();
  counting = new AbortController();
  const url = new URL(setup.action);
  url.search = new URLSearchParams([...new FormData(setup)].filter(([, value]) => value !== "")).toString();
  try {
    const answer = await fetch(url, { signal: counting.signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector("[data-counts]");
    if (found) document.querySelector("[data-counts]").replaceWith(document.adoptNode(found));
    else document.querySelector("[data-counts]").textContent = page.querySelector("main .lede")?.textContent ?? "";
    if (answer.ok) window.history.replaceState(null, "", url);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

setup?.addEventListener("change", count);
