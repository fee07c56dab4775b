// What is typed or chosen for each type of field.
import { DAY_OPS, LIST_OPS, needsValue, severalOf } from "./tree.js";

const DATE = /^\d{4}-\d{2}-\d{2}$/;

export function ValueEditor({ rule, value, operator, handleOnChange, context }) {
    const field = context.fields.get(rule.field);
    if (!field) return <span class="builder-quiet builder-unknown">{value === "" ? "" : JSON.stringify(value)}</span>;
    if (!needsValue(field, operator)) return null;
    const editor = { rule, value, field, onChange: handleOnChange, isWrong: context.problems.has(rule.id) };
    if (LIST_OPS.includes(operator)) return field.type === "choice" ? <Choices {...editor} /> : <Lines {...editor} />;
    const single = { ...editor, value: Array.isArray(value) ? value[0] ?? "" : value };
    if (field.type === "choice") return <Choice {...single} />;
    if (DAY_OPS.includes(operator)) return <Typed {...single} unit="days" inputMode="decimal" />;
    if (field.type === "number") return <Typed {...single} unit={field.unit} inputMode="decimal" />;
    if (field.type === "datetime") return <DateValue {...single} />;
    return <Typed {...single} unit="" inputMode="text" />;
}

function Typed({ value, field, onChange, unit, inputMode, isWrong, type = "text" }) {
    return (
        <span class="builder-value">
            <input
                class="conditions-input"
                type={type}
                inputMode={inputMode}
                value={String(value)}
                aria-label={`Value for ${field.label}`}
                aria-invalid={isWrong}
                autocomplete="off"
                maxLength={300}
                data-value
                onInput={(event) => onChange(event.currentTarget.value)}
                onKeyDown={keepFromSending}
            />
            {unit && <span class="builder-unit">{unit}</span>}
        </span>
    );
}

// A moment with its time of day, written by a program, stays as it is written.
function DateValue(editor) {
    const isDate = editor.value === "" || DATE.test(editor.value);
    return <Typed {...editor} unit="" inputMode="text" type={isDate ? "date" : "text"} />;
}

function Choice({ value, field, onChange, isWrong }) {
    return (
        <span class="builder-value">
            <select
                class="conditions-input"
                aria-label={`Value for ${field.label}`}
                aria-invalid={isWrong}
                value={value}
                data-value
                onChange={(event) => onChange(event.currentTarget.value)}
            >
                <option value="">Choose …</option>
                {field.choices.map(([name, label]) => (
                    <option value={name}>{label}</option>
                ))}
            </select>
        </span>
    );
}

function Choices({ value, field, onChange }) {
    const chosen = severalOf(value);
    const toggle = (name) =>
        onChange(
            field.choices.map(([one]) => one).filter((one) => (one === name) !== chosen.includes(one)),
        );
    return (
        <span class="builder-choices" role="group" aria-label={`Values for ${field.label}`}>
            {field.choices.map(([name, label]) => (
                <label class="builder-choice">
                    <input
                        type="checkbox"
                        checked={chosen.includes(name)}
                        data-choice={name}
                        onChange={() => toggle(name)}
                    />
                    <span>{label}</span>
                </label>
            ))}
        </span>
    );
}

function Lines({ value, field, onChange, isWrong }) {
    const text = Array.isArray(value) ? value.join("\n") : String(value);
    return (
        <span class="builder-value">
            <textarea
                class="conditions-input"
                rows={Math.min(6, Math.max(2, text.split("\n").length))}
                placeholder="One on each line"
                aria-label={`Values for ${field.label}, one on each line`}
                aria-invalid={isWrong}
                spellcheck={false}
                data-value
                onInput={(event) => onChange(event.currentTarget.value)}
                value={text}
            />
        </span>
    );
}

// Enter in a value would save the whole page.
function keepFromSending(event) {
    if (event.key === "Enter") event.preventDefault();
}
