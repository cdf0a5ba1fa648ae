// Paper is white: print in the light theme, and go back to the reader's afterwards.
(() => {
  const root = document.documentElement;
  let theme = null;
  window.addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", () => {
    if (theme) root.dataset.theme = theme;
  });
})();

// Escape closes the card with the source of a number.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.activeElement?.closest(".ntkd-bound")?.blur();
});
