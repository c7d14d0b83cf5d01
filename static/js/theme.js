/* The colour scheme: the system's, or the one chosen with the button ([data-theme-toggle]).

   A classic script in <head>, because it must run before the first paint: a module would come
   later and flash. It also marks that scripts run (.js instead of .no-js). */
"use strict";
(function () {
  const root = document.documentElement;
  root.classList.replace("no-js", "js");

  function stored() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is forbidden: the system's scheme it is
    }
  }

  const chosen = stored();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-toggle]");
    if (!button) return;
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
    const show = () => {
      button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
      button.title = button.getAttribute("aria-label");
    };
    system.addEventListener("change", show);
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try {
        localStorage.setItem("theme", root.dataset.theme);
      } catch {
        // the choice then lasts for this page
      }
      show();
    });
    show();
  });
})();
