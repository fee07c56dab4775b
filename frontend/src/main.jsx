// Puts the builder in the place of the boxes that work without JavaScript, wherever a page has them.
import "./builder.css";
import { render } from "preact";

import { Builder } from "./Builder.jsx";
import { queryOf } from "./tree.js";

function start(root) {
    const setup = JSON.parse(document.getElementById(`builder-${root.dataset.builder}`).textContent);
    const fields = new Map();
    for (const [scope, found] of Object.entries(setup.fields)) {
        // Of two scopes with a field of the same name, that of the form's own scope counts.
        for (const field of found) {
            if (!fields.has(field.name) || scope === setup.scope) fields.set(field.name, { ...field, ops: setup.ops[field.type] });
        }
    }
    const query = queryOf(setup.tree, fields);
    if (query === null) return; // What is no tree stays in its box, as text.
    const boxes = document.querySelector(`[data-conditions="${root.dataset.builder}"]`);
    boxes.hidden = true;
    for (const box of boxes.querySelectorAll("input, select, textarea, button")) box.disabled = true;
    document.querySelectorAll("[data-static-sample]").forEach((panel) => (panel.hidden = true));
    root.hidden = false;
    const initialText = setup.text || JSON.stringify(setup.tree);
    render(<Builder setup={setup} allFields={fields} initialQuery={query} initialText={initialText} />, root);
}

function startAll() {
    document.querySelectorAll("[data-builder]").forEach(start);
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", startAll);
else startAll();
