"use strict";
// Runs before the first paint: the chosen theme, else what the system prefers.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("mmbench-theme"); } catch { return null; } };
  const store = (theme) => { try { localStorage.setItem("mmbench-theme", theme); } catch { /* not kept, still shown */ } };
  const dark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const chosen = stored();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  const announce = () => window.dispatchEvent(new Event("mmbench-theme"));
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} theme`); };
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      store(root.dataset.theme);
      label();
      announce();
    });
    system.addEventListener("change", () => { label(); announce(); });
    label();
    button.hidden = false;
  });
})();
