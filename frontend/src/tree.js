// Between the condition trees that the server keeps and the groups of rules that the builder edits. Pure.
//
// A tree is {}, {"all": [...]}, {"any": [...]}, {"not": tree} or {"field", "op", "value"}. A group of the builder has a
// combinator and may be negated. A rule's value is what a person types: per cent as 80 for 0.8, lines for several texts.

export const NO_FIELD = "~";
export const LIST_OPS = ["in", "not_in"];
export const DAY_OPS = ["within_days", "not_within_days"];
const JOINS = { all: "and", any: "or" };
const KEYS = { and: "all", or: "any" };

let lastId = 0;
export const newId = () => `c${++lastId}`;

export const emptyRule = () => ({ id: newId(), field: NO_FIELD, operator: "", value: "" });
export const emptyQuery = () => ({ id: newId(), combinator: "and", not: false, rules: [emptyRule()] });

/** Return the group of rules that stands for a tree, or null for what is no tree. */
export function queryOf(tree, fields) {
    if (!isObject(tree)) return null;
    if (Object.keys(tree).length === 0) return emptyQuery();
    const node = nodeOf(tree, fields);
    if (node === null) return null;
    return node.rules ? node : { id: newId(), combinator: "and", not: false, rules: [node] };
}

function nodeOf(tree, fields) {
    if (!isObject(tree)) return null;
    if ("field" in tree) return ruleOf(tree, fields);
    const keys = Object.keys(tree);
    if (keys.length === 0) return group("and", false, []);
    if (keys.length !== 1) return null;
    const [key] = keys;
    if (key === "not") return negated(tree.not, fields);
    if (!JOINS[key] || !Array.isArray(tree[key])) return null;
    const rules = tree[key].map((child) => nodeOf(child, fields));
    return rules.includes(null) ? null : group(JOINS[key], false, rules);
}

function negated(tree, fields) {
    const inner = nodeOf(tree, fields);
    if (inner === null) return null;
    return inner.rules && !inner.not ? { ...inner, not: true } : group("or", true, [inner]);
}

const group = (combinator, not, rules) => ({ id: newId(), combinator, not, rules });

function ruleOf(leaf, fields) {
    const strange = Object.keys(leaf).some((key) => !["field", "op", "value"].includes(key));
    if (strange || typeof leaf.field !== "string" || typeof leaf.op !== "string") return null;
    const field = fields.get(leaf.field);
    const value = field ? typed(leaf.value, field, leaf.op) : leaf.value ?? "";
    return { id: newId(), field: leaf.field, operator: leaf.op, value };
}

function typed(value, field, op) {
    if (value === null || value === undefined) return "";
    if (LIST_OPS.includes(op) && Array.isArray(value)) return field.type === "choice" ? value : value.join("\n");
    if (typeof value === "number") return field.isShare ? movePoint(String(value), 2) : String(value);
    return value;
}

/**
 * Return {tree, places}: the tree of a query and, for each path in it, the id of the rule or group that stands there.
 * Rules without a field are left out.
 */
export function treeOf(query, fields) {
    const places = new Map();
    const kept = query.rules.some((rule) => isKept(rule));
    return { tree: kept ? treeOfGroup(query, fields, "", places) : {}, places };
}

const isKept = (rule) => Boolean(rule.rules) || rule.field !== NO_FIELD;

function treeOfGroup(query, fields, path, places) {
    places.set(path, query.id);
    const rules = query.rules.filter(isKept);
    const at = (step) => (path ? `${path}.${step}` : step);
    const child = (rule, here) => {
        places.set(here, rule.id);
        return rule.rules ? treeOfGroup(rule, fields, here, places) : leafOf(rule, fields);
    };
    if (query.not && rules.length === 1) return { not: child(rules[0], at("not")) };
    // An empty group would hold for everyone: as an "any" of nothing the server refuses it and says so.
    const key = rules.length === 0 ? "any" : KEYS[query.combinator] ?? "all";
    const inner = query.not ? at(`not.${key}`) : at(key);
    const list = { [key]: rules.map((rule, index) => child(rule, `${inner}.${index}`)) };
    return query.not ? { not: list } : list;
}

function leafOf(rule, fields) {
    const field = fields.get(rule.field);
    const leaf = { field: rule.field, op: rule.operator };
    if (!field) return rule.value === "" ? leaf : { ...leaf, value: rule.value };
    if (!needsValue(field, rule.operator)) return leaf;
    return { ...leaf, value: valueOf(rule.value, field, rule.operator) };
}

export const needsValue = (field, op) => field.ops.find((one) => one.name === op)?.needsValue ?? true;

function valueOf(value, field, op) {
    if (LIST_OPS.includes(op)) return severalOf(value);
    const single = Array.isArray(value) ? value[0] ?? "" : value;
    if (field.type === "number" || DAY_OPS.includes(op)) return numberOf(single, field.isShare && !DAY_OPS.includes(op));
    return single;
}

export const severalOf = (value) =>
    (Array.isArray(value) ? value : String(value).split("\n")).filter((one) => one !== "");

// What is no number stays as it was typed, and the server names it.
function numberOf(text, isShare) {
    let cleaned = String(text).trim();
    if (isShare) cleaned = cleaned.replace(/\s*%$/, "");
    if (cleaned.includes(",") && !cleaned.includes(".")) cleaned = cleaned.replace(",", ".");
    const number = cleaned === "" ? NaN : Number(isShare ? movePoint(cleaned, -2) : cleaned);
    return Number.isFinite(number) ? number : text;
}

/** Move the decimal point of a number in text by `steps`, without the errors of binary fractions. */
export function movePoint(text, steps) {
    const [digits, exponent = "0"] = String(text).toLowerCase().split("e");
    const moved = Number(`${digits}e${Number(exponent) + steps}`);
    return Number.isNaN(moved) ? text : String(moved);
}

/** Return the query without groups that lost their last rule. */
export function pruned(query) {
    const rules = query.rules
        .map((rule) => (rule.rules ? pruned(rule) : rule))
        .filter((rule) => !rule.rules || rule.rules.length > 0);
    return { ...query, rules };
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
