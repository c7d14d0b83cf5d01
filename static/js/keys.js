/* Keys of a page, and the list of them under "?" (templates/includes/keys.html).

     import { bindKeys } from "./keys.js";
     bindKeys({ j: () => walk(1), ArrowLeft: previous, "Shift+ArrowLeft": fast });

   A key is written as KeyboardEvent.key, with "Shift+" before a name of several letters. It is left
   alone in fields, with Ctrl, Alt or Meta, while a dialog is open, or where somebody took it before
   (event.defaultPrevented); an action that returns false leaves it to the browser too.

   Found by attributes:
     dialog[data-keys]       the list; the "?" key opens it, wherever this module is loaded
     [data-keys-open]        a button that opens it
     [data-dialog-close]     a button that closes the dialog around it; a click beside it does too */

const FIELDS = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), select, textarea, [contenteditable]";

function nameOf(event) {
  return event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
}

/** Let each key of `actions` run its function; return a function that takes them off again. */
export function bindKeys(actions) {
  const press = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest(FIELDS) || document.querySelector("dialog[open]")) return;
    if (event.target.type === "radio" && event.key.startsWith("Arrow")) return; // they choose there
    const name = nameOf(event);
    if (!Object.hasOwn(actions, name)) return;
    if (actions[name](event) !== false) event.preventDefault();
  };
  document.addEventListener("keydown", press);
  return () => document.removeEventListener("keydown", press);
}

function openList() {
  const list = document.querySelector("dialog[data-keys]");
  if (!list) return false;
  list.showModal();
  return true;
}

bindKeys({ "?": openList });

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keys-open]")) openList();
  const dialog = event.target.closest("dialog");
  // A click on the backdrop has the dialog itself as its target: its padding is on an inner box.
  if (dialog && (event.target === dialog || event.target.closest("[data-dialog-close]"))) dialog.close();
});
