/* Requests of the API, tried on its page.

   A form [data-try] holds the address with {part}s; its inputs are parts of the path ([data-part]),
   parameters (by name) and a free rest ([data-more]). Sending shows status, time and body below
   ([data-answer] > [data-status], [data-body]). The first answer of a form is fetched when it comes
   into view, where it is JSON. Without scripts the form is a plain GET form. */

const MOST = 20000;

function addressOf(form) {
  // Not form.dataset: an input named "dataset" hides it.
  const path = form.getAttribute("data-try").replace(/\{(\w+)\}/g, (_, name) =>
    encodeURIComponent(form.querySelector(`[data-part="${name}"]`).value));
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input[name]")) {
    if (input.value) query.append(input.name, input.value);
  }
  for (const [name, value] of new URLSearchParams(form.querySelector("[data-more]")?.value)) query.append(name, value);
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text ? `${path}?${text}` : path;
}

function showAddress(form) {
  const link = form.querySelector("[data-address]");
  link.href = addressOf(form);
  link.firstElementChild.textContent = addressOf(form);
}

async function bodyOf(answer) {
  const type = answer.headers.get("Content-Type") ?? "";
  if (type.startsWith("application/json")) return JSON.stringify(await answer.json(), null, 2);
  if (type.startsWith("text/") || type.includes("json")) return answer.text();
  const numbers = new Int16Array(await answer.arrayBuffer());
  return `${numbers.length.toLocaleString("en")} whole numbers: ${numbers.slice(0, 40).join(", ")}, …`;
}

async function send(form) {
  const place = form.querySelector("[data-answer]");
  const status = place.querySelector("[data-status]");
  const body = place.querySelector("[data-body]");
  place.hidden = false;
  status.textContent = "Asking …";
  const started = performance.now();
  try {
    const answer = await fetch(addressOf(form), { cache: "no-cache" });
    const text = await bodyOf(answer);
    const took = Math.round(performance.now() - started);
    const cut = text.length > MOST;
    status.textContent =
      `${answer.status} ${answer.statusText} · ${took} ms` + (cut ? ` · the first ${MOST.toLocaleString("en")} characters` : "");
    body.textContent = cut ? `${text.slice(0, MOST)}\n…` : text;
  } catch (error) {
    status.textContent = `No answer: ${error.message}`;
    body.textContent = "";
  }
}

const waiting = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    waiting.unobserve(target);
    send(target);
  }
});

for (const form of document.querySelectorAll("[data-try]")) {
  form.addEventListener("input", () => showAddress(form));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    waiting.unobserve(form);
    send(form);
  });
  if (form.getAttribute("data-media-type") === "application/json") waiting.observe(form);
}
