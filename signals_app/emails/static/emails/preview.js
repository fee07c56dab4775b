// Shows the mail while it is being written. Without this file the Preview button opens it in a page of its own.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const panel = document.querySelector("[data-preview-url]");
    const form = panel?.closest("form");
    if (!form) return;
    const frames = panel.querySelector("[data-frames]");
    const problems = panel.querySelector("[data-preview-problems]");
    const subject = panel.querySelector("[data-preview-subject]");
    let latest = 0;
    let timer = 0;

    function show(found) {
        subject.textContent = found.subject;
        subject.hidden = !found.subject;
        problems.replaceChildren(...found.problems.map((problem) => {
            const line = document.createElement("li");
            line.textContent = `${problem.label}: ${problem.message}`;
            return line;
        }));
        problems.hidden = found.problems.length === 0;
        // With a problem the last good picture stays, so that the page does not jump while one types.
        if (!found.html) return;
        frames.hidden = false;
        for (const frame of frames.querySelectorAll("iframe")) frame.srcdoc = found.html;
    }

    async function preview() {
        latest += 1;
        const own = latest;
        try {
            const response = await fetch(panel.dataset.previewUrl, {
                method: "POST",
                headers: { Accept: "application/json" },
                body: new URLSearchParams(new FormData(form)),
            });
            if (!response.ok) throw new Error(`the server answered ${response.status}`);
            const found = await response.json();
            if (own === latest) show(found);
        } catch (error) {
            const problem = { label: "Preview", message: error.message };
            if (own === latest) show({ subject: "", html: "", problems: [problem] });
        }
    }

    form.addEventListener("input", () => {
        window.clearTimeout(timer);
        timer = window.setTimeout(preview, 600);
    });
    panel.querySelector("[name=_preview]").addEventListener("click", (event) => {
        event.preventDefault();
        preview();
    });
    preview();
});
