// The chooser of a field: a button that opens a searched list in groups. Keyboard as in the combobox pattern of ARIA.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { NO_FIELD } from "./tree.js";

export function FieldChooser({ value, handleOnChange, context, rule }) {
    const { fields, offered } = context;
    const [isOpen, setOpen] = useState(false);
    const button = useRef(null);
    const chosen = fields.get(value);
    const label = value === NO_FIELD ? "Choose what to compare …" : chosen?.label ?? value;
    const close = (refocus) => {
        setOpen(false);
        if (refocus) button.current?.focus();
    };
    return (
        <div class="builder-field">
            <button
                type="button"
                ref={button}
                class="conditions-input builder-field-button"
                data-field-button={value}
                data-empty={value === NO_FIELD ? "" : undefined}
                aria-haspopup="dialog"
                aria-expanded={isOpen}
                title={chosen?.help || undefined}
                onClick={() => setOpen(!isOpen)}
            >
                <span>{label}</span>
            </button>
            {isOpen && (
                <FieldList
                    id={`fields-${rule.id}`}
                    fields={offered}
                    value={value}
                    onChoose={(name) => {
                        handleOnChange(name);
                        close(true);
                    }}
                    onClose={close}
                />
            )}
        </div>
    );
}

function FieldList({ id, fields, value, onChoose, onClose }) {
    const [search, setSearch] = useState("");
    const found = useMemo(() => matching(fields, search), [fields, search]);
    const [active, setActive] = useState(() => Math.max(0, fields.findIndex((field) => field.name === value)));
    const box = useRef(null);
    const input = useRef(null);
    useEffect(() => input.current?.focus(), []);
    useEffect(() => {
        box.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
    }, [active, found]);
    useEffect(() => {
        const outside = (event) => {
            if (!box.current?.parentElement?.contains(event.target)) onClose(false);
        };
        document.addEventListener("pointerdown", outside);
        return () => document.removeEventListener("pointerdown", outside);
    }, []);
    const step = (by) => setActive(found.length ? (active + by + found.length) % found.length : 0);
    const onKeyDown = (event) => {
        const act = {
            ArrowDown: () => step(1),
            ArrowUp: () => step(-1),
            Home: () => setActive(0),
            End: () => setActive(Math.max(0, found.length - 1)),
            Enter: () => found[active] && onChoose(found[active].name),
            Escape: () => onClose(true),
        }[event.key];
        if (event.key === "Tab") onClose(false);
        if (!act) return;
        event.preventDefault();
        event.stopPropagation();
        act();
    };
    return (
        <div class="builder-fields" ref={box} role="dialog" aria-label="What to compare">
            <input
                ref={input}
                class="conditions-input"
                type="text"
                role="combobox"
                aria-expanded="true"
                aria-controls={id}
                aria-autocomplete="list"
                aria-activedescendant={found[active] ? `${id}-${found[active].name}` : undefined}
                aria-label="Search"
                placeholder="Search …"
                autocomplete="off"
                data-field-search
                value={search}
                onInput={(event) => {
                    setSearch(event.currentTarget.value);
                    setActive(0);
                }}
                onKeyDown={onKeyDown}
            />
            <div class="builder-options" id={id} role="listbox" aria-label="What to compare">
                {found.map((field, index) => (
                    <>
                        {field.group !== found[index - 1]?.group && (
                            <div class="builder-option-group" role="presentation">
                                {field.group}
                            </div>
                        )}
                        <div
                            id={`${id}-${field.name}`}
                            class="builder-option"
                            role="option"
                            aria-selected={index === active}
                            data-option={field.name}
                            title={field.help || undefined}
                            onPointerMove={() => setActive(index)}
                            onClick={() => onChoose(field.name)}
                        >
                            {field.label}
                            {field.unit && <span class="builder-quiet"> {field.unit}</span>}
                        </div>
                    </>
                ))}
                {found.length === 0 && <div class="builder-option builder-quiet">Nothing is called that.</div>}
            </div>
        </div>
    );
}

function matching(fields, search) {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    return fields.filter((field) => {
        const text = `${field.label} ${field.group} ${field.help} ${field.choices.map(([, label]) => label).join(" ")}`;
        return words.every((word) => text.toLowerCase().includes(word));
    });
}
