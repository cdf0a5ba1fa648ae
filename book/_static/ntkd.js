// Paper is white: print in the light theme, and go back to the reader's afterwards.
(() => {
  const root = document.documentElement;
  let theme = null;
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details.ntkd-fold").forEach((fold) => (fold.open = true));
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", () => {
    if (theme) root.dataset.theme = theme;
  });
})();

// A link to a folded claim opens its fold.
const unfold = () => {
  const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const fold = row?.closest("details.ntkd-fold:not([open])");
  if (fold) {
    fold.open = true;
    row.scrollIntoView();
  }
};
window.addEventListener("hashchange", unfold);
document.addEventListener("DOMContentLoaded", unfold);

// Escape closes the card with the source of a number.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.activeElement?.closest(".ntkd-bound")?.blur();
});

// A slider shows one frame of its figure. Without this script the first frame stays, and no slider is seen.
document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll(".ntkd-slider")) {
    const slide = figure.querySelector(".ntkd-slide");
    const [input, output] = slide.querySelectorAll("input, output");
    const frames = [...figure.querySelectorAll(".ntkd-images")];
    // The other frames are loaded as soon as a reader turns to the slider.
    const load = () => figure.querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
    ["focus", "pointerenter"].forEach((event) => input.addEventListener(event, load, { once: true }));
    input.addEventListener("input", () => {
      frames.forEach((frame, place) => { frame.hidden = place !== Number(input.value); });
      output.textContent = frames[input.value].dataset.text;
      input.setAttribute("aria-valuetext", output.textContent);
    });
    slide.hidden = false;
  }
});
