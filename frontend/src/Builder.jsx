// The builder: groups in groups of conditions, with what the server says of them.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { QueryBuilder, Rule, RuleGroupBodyComponents } from "react-querybuilder";

import { Audience } from "./Audience.jsx";
import { FieldChooser } from "./FieldChooser.jsx";
import { useCheck } from "./server.js";
import { Spread } from "./Spread.jsx";
import { NO_FIELD, emptyQuery, newId, pruned, treeOf } from "./tree.js";
import { ValueEditor } from "./ValueEditor.jsx";

const MOST_LEVELS = 6; // The server reads eight, and a negated group counts as two.
const FIRST_OP = {
    number: "gte",
    text: "contains",
    boolean: "is_true",
    datetime: "within_days",
    choice: "in",
    list: "contains",
};
const JOINS = [
    ["and", false, "all of these hold"],
    ["or", false, "any one of these holds"],
    ["or", true, "none of these holds"],
    ["and", true, "not all of these hold"],
];

export function Builder({ setup, allFields, initialQuery, initialText }) {
    const scope = useScope(setup);
    const [query, setQuery] = useState(initialQuery);
    const [isTouched, setTouched] = useState(false);
    const root = useRef(null);
    const justAdded = useRef(null);
    const offered = useMemo(() => setup.fields[scope].map((field) => allFields.get(field.name)), [scope]);
    // Every field of every scope, so that one of another scope is shown and named as wrong, not thrown away.
    const options = useMemo(() => [...allFields.values()].map(({ name, label }) => ({ name, value: name, label })), []);
    const { tree, places } = useMemo(() => treeOf(query, allFields), [query]);
    // What nobody changed goes back letter by letter, so that saving is no change.
    const text = isTouched ? JSON.stringify(tree) : initialText;
    const state = useCheck(setup.check, text, scope);
    const told = useMemo(() => toldOf(state.answer, places), [state.answer]);
    const change = useCallback((next) => {
        const kept = pruned(next);
        setQuery(kept.rules.length ? kept : { ...emptyQuery(), combinator: kept.combinator, not: kept.not });
    }, []);
    useEffect(() => {
        if (!justAdded.current) return;
        const added = root.current?.querySelector(`[data-rule-id="${justAdded.current}"] [data-field-button]`);
        if (added) added.focus();
        justAdded.current = null;
    }, [query]);
    const changeGroup = (id, values) => onQueryChange(changed(query, id, values));
    const context = { fields: allFields, offered, scope, fieldAddress: setup.field, changeGroup, ...told };
    const isEmpty = Object.keys(tree).length === 0;
    const onQueryChange = (next) => {
        if (next === query) return;
        if (JSON.stringify(treeOf(next, allFields).tree) !== JSON.stringify(tree)) setTouched(true);
        change(next);
    };
    return (
        <div ref={root} class="builder-inner" data-scope={scope}>
            <input type="hidden" name={`${setup.name}-mode`} value="json" />
            <input type="hidden" name={`${setup.name}-json`} value={text} data-tree />
            <QueryBuilder
                fields={options}
                query={query}
                onQueryChange={onQueryChange}
                onAddRule={(rule) => {
                    justAdded.current = rule.id;
                    return rule;
                }}
                onAddGroup={(group) => {
                    justAdded.current = group.rules[0]?.id;
                    return group;
                }}
                getOperators={(name) => operatorsOf(allFields.get(name))}
                getDefaultOperator={(name) => FIRST_OP[allFields.get(name)?.type] ?? ""}
                getDefaultValue={() => ""}
                idGenerator={newId}
                combinators={COMBINATORS}
                controlElements={CONTROLS}
                controlClassnames={CLASSES}
                translations={WORDS}
                context={context}
                autoSelectField={false}
                addRuleToNewGroups
                accessibleDescriptionGenerator={() => undefined}
            />
            <Audience state={state} isAboutProfiles={scope === "profile"} isEmpty={isEmpty} />
        </div>
    );
}

/** Return the scope whose fields are offered: an automation begins with a signal or with an order. */
function useScope(setup) {
    const read = () => {
        const entry = document.querySelector("[name=entry_event]")?.value?.toLowerCase();
        return setup.scope !== "profile" && entry in setup.fields ? entry : setup.scope;
    };
    const [scope, setScope] = useState(read);
    useEffect(() => {
        const entry = document.querySelector("[name=entry_event]");
        const follow = () => setScope(read());
        entry?.addEventListener("change", follow);
        return () => entry?.removeEventListener("change", follow);
    }, []);
    return scope;
}

/** Return what an answer says of the single conditions: {problems, shares} by the id of rule or group. */
function toldOf(answer, places) {
    const problems = new Map();
    for (const { path, message } of answer?.problems ?? []) {
        const at = placeOf(path, places);
        if (at !== undefined && !problems.has(at)) problems.set(at, message);
    }
    const shares = new Map();
    for (const [path, share] of Object.entries(answer?.shares ?? {})) {
        if (places.has(path)) shares.set(places.get(path), share);
    }
    return { problems, shares };
}

/** Return the id at the longest beginning of the path that is a place: a problem names the value, the place is the rule. */
function placeOf(path, places) {
    const steps = path.split(".");
    for (; steps.length; steps.pop()) {
        if (places.has(steps.join("."))) return places.get(steps.join("."));
    }
    return places.get("");
}

const operatorsOf = (field) =>
    (field?.ops ?? []).map((op) => ({ name: op.name, value: op.name, label: op.label }));

function GroupHead({ ruleGroup, path, removeGroup, context }) {
    const isRoot = path.length === 0;
    const now = JOINS.findIndex(([join, not]) => join === ruleGroup.combinator && not === Boolean(ruleGroup.not));
    const choose = (event) => {
        const [combinator, not] = JOINS[Number(event.currentTarget.value)];
        context.changeGroup(ruleGroup.id, { combinator, not });
    };
    const problem = context.problems.get(ruleGroup.id);
    return (
        <>
            <span class="builder-when">{isRoot ? "When" : "Group:"}</span>
            <select
                class="conditions-input builder-join"
                aria-label="How the conditions of this group are joined"
                value={String(Math.max(0, now))}
                data-join
                onChange={choose}
            >
                {JOINS.map(([, , label], index) => (
                    <option value={String(index)}>{label}</option>
                ))}
            </select>
            {!isRoot && (
                <button
                    type="button"
                    class="conditions-remove"
                    aria-label="Remove this group"
                    title="Remove this group"
                    data-remove-group
                    onClick={removeGroup}
                >
                    ×
                </button>
            )}
            {problem && <p class="conditions-problem">{problem}</p>}
        </>
    );
}

const changed = (group, id, values) =>
    group.id === id
        ? { ...group, ...values }
        : { ...group, rules: group.rules.map((rule) => (rule.rules ? changed(rule, id, values) : rule)) };

function GroupBody(props) {
    return (
        <>
            <RuleGroupBodyComponents {...props} />
            <div class="builder-add">
                <button type="button" class="conditions-button" data-add-rule onClick={props.addRule}>
                    + Add condition
                </button>
                {props.path.length < MOST_LEVELS - 1 && (
                    <button type="button" class="conditions-button" data-add-group onClick={props.addGroup}>
                        + Add group
                    </button>
                )}
            </div>
        </>
    );
}

function Condition(props) {
    const { context, rule } = props;
    const field = context.fields.get(rule.field);
    const problem = context.problems.get(rule.id);
    return (
        <div class={`builder-condition${problem ? " conditions-wrong" : ""}`} data-condition={rule.field}>
            <Rule {...props} />
            {problem && <p class="conditions-problem">{problem}</p>}
            {context.scope === "profile" && field && (
                <Spread field={field} share={context.shares.get(rule.id)} address={context.fieldAddress} />
            )}
        </div>
    );
}

function Comparison({ value, options, handleOnChange, context, rule }) {
    if (!context.fields.has(rule.field)) return null;
    return (
        <select
            class="conditions-input builder-op"
            aria-label="Comparison"
            value={value}
            data-op
            onChange={(event) => handleOnChange(event.currentTarget.value)}
        >
            {!options.some((option) => option.name === value) && <option value={value}>{value || "…"}</option>}
            {options.map((option) => (
                <option value={option.name}>{option.label}</option>
            ))}
        </select>
    );
}

function RemoveRule({ handleOnClick }) {
    return (
        <button
            type="button"
            class="conditions-remove"
            aria-label="Remove this condition"
            title="Remove this condition"
            data-remove-rule
            onClick={handleOnClick}
        >
            ×
        </button>
    );
}

const COMBINATORS = [
    { name: "and", value: "and", label: "all" },
    { name: "or", value: "or", label: "any" },
];
const CONTROLS = {
    ruleGroupHeaderElements: GroupHead,
    ruleGroupBodyElements: GroupBody,
    rule: Condition,
    fieldSelector: FieldChooser,
    operatorSelector: Comparison,
    valueEditor: ValueEditor,
    removeRuleAction: RemoveRule,
};
const CLASSES = { ruleGroup: "builder-group", header: "builder-head", body: "builder-body", rule: "builder-rule" };
const WORDS = { fields: { placeholderName: NO_FIELD, placeholderLabel: "Choose what to compare …" } };
