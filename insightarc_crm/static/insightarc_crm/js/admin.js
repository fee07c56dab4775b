"use strict";
// Copy buttons: <button data-copy="#id-of-the-text">. Everything else works without JavaScript.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.preventDefault();
  const source = document.querySelector(button.dataset.copy);
  const text = "value" in source ? source.value : source.textContent;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Without https a browser has no clipboard for scripts: select the text so that one key press copies it.
    const range = document.createRange();
    range.selectNodeContents(source);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    if (source.select) source.select();
    button.textContent = "Press Ctrl+C";
  }
  window.setTimeout(() => { button.textContent = label; }, 2000);
});

// Buttons that ask first: <button data-confirm="Really?">. Without JavaScript they simply act.
document.addEventListener("submit", (event) => {
  const question = event.submitter && event.submitter.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A picture that does not load gives way to an empty frame. Errors of pictures do not bubble: they are caught on the way down.
document.addEventListener("error", (event) => {
  const picture = event.target;
  if (!(picture instanceof HTMLImageElement) || !picture.classList.contains("crm-picture")) return;
  const frame = document.createElement("span");
  frame.className = "crm-picture crm-picture-empty material-symbols-outlined";
  frame.setAttribute("aria-hidden", "true");
  frame.textContent = "image";
  picture.replaceWith(frame);
}, true);
