// Improves the rows of conditions: only comparisons that fit, lists to choose from, rows added and removed in place.
// Without this file the form works with the empty rows that the page offers.
"use strict";

(() => {
    const chosen = (select) => select.selectedOptions[0] || select.options[0];

    function fitComparisons(row) {
        const option = chosen(row.querySelector("[data-field]"));
        const ops = row.querySelector("[data-op]");
        const allowed = (option.dataset.ops || "").split(" ").filter(Boolean);
        for (const op of ops.options) {
            const fits = !op.value || allowed.length === 0 || allowed.includes(op.value);
            op.hidden = op.disabled = !fits;
            const label = option.dataset.type === "datetime" ? op.dataset.dateLabel : op.dataset.label;
            if (op.value) op.textContent = label || op.dataset.label;
        }
        ops.hidden = !option.value;
        if (allowed.length > 0 && !allowed.includes(ops.value)) ops.value = allowed[0];
        // As a tooltip: a line that comes and goes would move the button away from under a click.
        row.querySelector("[data-field]").title = option.dataset.help || "";
    }

    // A field with fixed values gets a list instead of the text box; the box stays and carries what is sent.
    function fitValue(row) {
        const option = chosen(row.querySelector("[data-field]"));
        const op = chosen(row.querySelector("[data-op]"));
        const cell = row.querySelector("[data-value-cell]");
        const input = row.querySelector("[data-value]");
        cell.querySelector("[data-choice-list]")?.remove();
        cell.hidden = !option.value || "noValue" in op.dataset;
        const isDays = op.value.endsWith("within_days");
        row.querySelector("[data-unit-label]").textContent = isDays ? "days" : option.dataset.unit || "";
        input.placeholder = option.dataset.type === "datetime" && !isDays ? "2026-11-24" : "";
        input.inputMode = option.dataset.type === "number" || isDays ? "decimal" : "text";
        input.hidden = Boolean(option.dataset.choices);
        if (!input.hidden) return;
        const several = op.value === "in" || op.value === "not_in";
        const list = document.createElement("select");
        list.dataset.choiceList = "";
        list.className = "conditions-input";
        list.multiple = several;
        list.setAttribute("aria-label", "Value");
        const wanted = input.value.split(",").map((part) => part.trim().toLowerCase());
        if (!several) list.add(new Option("Choose …", ""));
        for (const [value, label] of JSON.parse(option.dataset.choices)) {
            const isWanted = wanted.includes(value.toLowerCase()) || wanted.includes(label.toLowerCase());
            list.add(new Option(label, value, false, isWanted));
        }
        if (several) list.size = Math.min(6, list.options.length);
        const carry = () => { input.value = [...list.selectedOptions].map((item) => item.value).filter(Boolean).join(", "); };
        list.addEventListener("change", carry);
        if (input.value) carry();
        cell.prepend(list);
    }

    function prepareRow(row) {
        const field = row.querySelector("[data-field]");
        field.addEventListener("change", () => {
            row.querySelector("[data-value]").value = "";
            fitComparisons(row);
            fitValue(row);
        });
        row.querySelector("[data-op]").addEventListener("change", () => fitValue(row));
        const remove = row.querySelector("[data-remove-row]");
        remove.hidden = false;
        remove.addEventListener("click", () => removeRow(row));
        fitComparisons(row);
        fitValue(row);
    }

    function removeRow(row) {
        const group = row.closest("[data-group]");
        const root = row.closest("[data-conditions]");
        row.remove();
        if (!group.querySelector("[data-row]")) {
            if (root.querySelectorAll("[data-group]").length > 1) group.remove();
            else addRow(root, group);
        }
        showJoin(root);
        root.dispatchEvent(new Event("change", { bubbles: true }));
    }

    function addRow(root, group) {
        const number = Number(group.dataset.nextRow || group.querySelectorAll("[data-row]").length);
        group.dataset.nextRow = number + 1;
        const html = root.querySelector("[data-row-template]").innerHTML;
        const holder = document.createElement("div");
        holder.innerHTML = html.replaceAll("__group__", group.dataset.group).replaceAll("__row__", number);
        const row = holder.querySelector("[data-row]");
        group.querySelector("[data-rows]").append(row);
        prepareRow(row);
        offerScope(root);
        return row;
    }

    function addGroup(root) {
        const groups = [...root.querySelectorAll("[data-group]")];
        const number = Math.max(...groups.map((group) => Number(group.dataset.group))) + 1;
        const group = groups[0].cloneNode(true);
        group.dataset.group = number;
        delete group.dataset.nextRow;
        group.querySelector("[data-rows]").replaceChildren();
        const join = group.querySelector("legend select");
        join.name = join.name.replace(/-\d+-join$/, `-${number}-join`);
        root.querySelector("[data-groups]").append(group);
        group.querySelector("[data-add-row]").addEventListener("click", () => focusRow(addRow(root, group)));
        showJoin(root);
        return addRow(root, group);
    }

    const focusRow = (row) => row.querySelector("[data-field]").focus();

    function showJoin(root) {
        const groups = root.querySelectorAll("[data-group]");
        groups.forEach((group, index) => {
            group.querySelector("[data-group-title]").textContent = groups.length > 1 ? `Group ${index + 1}:` : "When";
        });
        root.querySelector("[data-join]").toggleAttribute("data-single", groups.length < 2);
    }

    // An automation starts on a signal or on an order: its trigger offers the fields of that event only.
    function offerScope(root) {
        const entry = document.querySelector("[name=entry_event]");
        if (!entry || root.dataset.conditions !== "trigger") return;
        const scope = entry.value.toLowerCase();
        for (const group of root.querySelectorAll("optgroup")) {
            group.hidden = group.disabled = group.dataset.scope.toLowerCase() !== scope;
        }
    }

    function enhance(root) {
        root.classList.add("conditions-enhanced");
        root.querySelectorAll("[data-group][data-spare]").forEach((group) => group.remove());
        for (const group of root.querySelectorAll("[data-group]")) {
            group.dataset.nextRow = group.querySelectorAll("[data-row]").length;
            const spares = [...group.querySelectorAll("[data-row][data-spare]")];
            const isEmpty = spares.length === group.querySelectorAll("[data-row]").length;
            spares.slice(isEmpty ? 1 : 0).forEach((row) => row.remove());
            group.querySelectorAll("[data-row]").forEach(prepareRow);
            group.querySelector("[data-add-row]").addEventListener("click", () => focusRow(addRow(root, group)));
        }
        root.querySelectorAll("[data-add-row], [data-add-group]").forEach((button) => { button.hidden = false; });
        root.querySelector("[data-add-group]").addEventListener("click", () => focusRow(addGroup(root)));
        document.querySelector("[name=entry_event]")?.addEventListener("change", () => offerScope(root));
        showJoin(root);
        offerScope(root);
    }

    document.addEventListener("DOMContentLoaded", () => {
        document.querySelectorAll("[data-conditions]").forEach(enhance);
    });
})();
