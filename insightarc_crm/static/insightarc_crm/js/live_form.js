"use strict";
// <form data-live="#results">: while a person types, the form is posted as by its Test button, and the answer put into
// the element. Without JavaScript the button does the same with a new page.
(() => {
  const form = document.querySelector("form[data-live]");
  if (!form || !window.fetch) return;
  const target = document.querySelector(form.dataset.live);
  let waiting = 0;
  let asked = 0;
  const test = async () => {
    const turn = ++asked;
    const body = new FormData(form);
    body.append("_test", "1");
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Part": "results" } });
      if (answer.ok && !answer.redirected && turn === asked) target.innerHTML = await answer.text();
    } catch {
      // No connection: the button still works once there is one.
    }
  };
  form.addEventListener("input", () => {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(test, 350);
  });
})();
