/* Triage, enhanced. Everything here also works by plain forms and links.

   [data-setup]    the form of choices: a changed field counts the queue anew, in [data-counts], and
                   asks which models saw the dataset, in [data-models]
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
  form.querySelector("[data-pending]").textContent =
    `${word}: how certain? Choose above, or press 6 to 9, or 0 for 100 %; that sends it.`;
}

function needsCertainty(button) {
  return ["same", "different"].includes(button?.value) && !radios().some((each) => each.checked);
}

function choose(value) {
  const radio = radios().find((each) => each.value === value);
  radio.checked = true;
  if (waiting) form.requestSubmit(waiting);
}

form?.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (needsCertainty(button)) {
    event.preventDefault(); // the browser would only complain
    wait(button);
  } else if (waiting && event.target.name === "certainty" && event.detail > 0) {
    form.requestSubmit(waiting); // by hand; arrow keys may be on their way to another one
  }
});

/* The other half of a double click belongs to the page before: here it would pass over what it shows. */
document.addEventListener(
  "click",
  (event) => {
    if (event.detail < 2 || !event.target.closest("[data-answer], [data-go-on]")) return;
    event.preventDefault();
    event.stopPropagation();
  },
  { capture: true },
);

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
    target.click();
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
    const models = page.querySelector("[data-models]");
    const focused = document.activeElement.id;
    if (models) document.querySelector("[data-models]").replaceWith(document.adoptNode(models));
    if (focused) document.getElementById(focused)?.focus();
    if (found) document.querySelector("[data-counts]").replaceWith(document.adoptNode(found));
    else document.querySelector("[data-counts]").textContent = page.querySelector("main .lede")?.textContent ?? "";
    if (!answer.ok) return;
    url.searchParams.set("model", document.getElementById("t-model").value);
    window.history.replaceState(null, "", url);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

setup?.addEventListener("change", count);
