// node --test frontend/test: a tree of the server survives the builder.
import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyQuery, movePoint, pruned, queryOf, treeOf } from "../src/tree.js";

const ops = (...names) => names.map((name) => ({ name, label: name, needsValue: !name.startsWith("is_") }));
const field = (name, type, more = {}) => ({ name, label: name, type, choices: [], isShare: false, ...more });
const fields = new Map(
    [
        field("score", "number", { ops: ops("gte", "is_known") }),
        field("exit", "number", { isShare: true, ops: ops("gte") }),
        field("city", "text", { ops: ops("eq", "in", "contains") }),
        field("stage", "choice", { ops: ops("eq", "in") }),
        field("seen", "datetime", { ops: ops("within_days", "gte") }),
        field("email", "boolean", { ops: ops("is_true") }),
        field("brand", "list", { ops: ops("contains") }),
    ].map((one) => [one.name, one]),
);
const leaf = (name, op, value) => (value === undefined ? { field: name, op } : { field: name, op, value });
const again = (tree) => treeOf(queryOf(tree, fields), fields).tree;

// Repeatable chance, so that a tree that fails can be found again.
function chance(seed) {
    return () => {
        seed = (seed * 1103515245 + 12345) % 2147483648;
        return seed / 2147483648;
    };
}

function someLeaf(random) {
    const pick = (list) => list[Math.floor(random() * list.length)];
    return pick([
        () => leaf("score", "gte", pick([0, 1, 2.5, -3, 1e21, 1e-7])),
        () => leaf("score", "is_known"),
        () => leaf("exit", "gte", Math.round(random() * 1e4) / 1e4),
        () => leaf("city", "in", [pick(["Bonn, Rhein", " a", "日本"]), "x"]),
        () => leaf("city", "eq", pick(["Bonn, Rhein", " a", "%", "“x”", "0.8", "5"])),
        () => leaf("stage", "in", ["high"]),
        () => leaf("stage", "eq", "high"),
        () => leaf("seen", "within_days", pick([1, 0.5, 30])),
        () => leaf("seen", "gte", "2026-11-24"),
        () => leaf("email", "is_true"),
        () => leaf("brand", "contains", "Acme"),
    ])();
}

function someTree(random, depth) {
    if (depth === 0 || random() < 0.4) return someLeaf(random);
    if (random() < 0.25) return { not: someTree(random, depth - 1) };
    const children = Array.from({ length: 1 + Math.floor(random() * 3) }, () => someTree(random, depth - 1));
    return { [random() < 0.5 ? "all" : "any"]: children };
}

// What the builder writes for a tree: a negated group of one says so without the group, and a root is a group.
function plain(tree) {
    if (tree.not) {
        const inner = plain(tree.not);
        const only = inner.all ?? inner.any;
        return only?.length === 1 ? { not: only[0] } : { not: inner };
    }
    for (const key of ["all", "any"]) if (tree[key]) return { [key]: tree[key].map(plain) };
    return tree;
}

test("random trees come back as they were", () => {
    for (let seed = 1; seed <= 2000; seed++) {
        const tree = someTree(chance(seed), 5);
        const expected = plain(tree);
        assert.deepEqual(again(tree), "field" in expected ? { all: [expected] } : expected, `seed ${seed}`);
    }
});

test("every hundredth of a per cent is typed and read without rounding", () => {
    for (let number = 0; number <= 10000; number++) {
        const value = number / 10000;
        assert.equal(again({ all: [leaf("exit", "gte", value)] }).all[0].value, value);
    }
    assert.equal(movePoint("0.83", 2), "83");
    assert.equal(movePoint("many", 2), "many");
});

test("what is typed is read as people write it", () => {
    const typed = (name, operator, value) =>
        treeOf({ ...emptyQuery(), rules: [{ id: "a", field: name, operator, value }] }, fields).tree.all[0].value;
    assert.equal(typed("exit", "gte", "80"), 0.8);
    assert.equal(typed("exit", "gte", "80,5 %"), 0.805);
    assert.equal(typed("score", "gte", " 2,5 "), 2.5);
    assert.equal(typed("score", "gte", "many"), "many");
    assert.equal(typed("score", "gte", ""), "");
    assert.deepEqual(typed("city", "in", "a\n\nb, c"), ["a", "b, c"]);
    assert.deepEqual(typed("stage", "in", ""), []);
    assert.equal(typed("stage", "eq", ["high"]), "high");
});

test("a path leads to the rule that stands there, also past rules without a field", () => {
    const query = queryOf({ all: [leaf("score", "gte", 1), { not: { any: [leaf("city", "eq", "a"), leaf("stage", "eq", "b")] } }] }, fields);
    query.rules.unshift({ id: "empty", field: "~", operator: "", value: "" });
    const { places } = treeOf(query, fields);
    assert.equal(places.get("all.0"), query.rules[1].id);
    assert.equal(places.get("all.1.not.any.1"), query.rules[2].rules[1].id);
});

test("nothing chosen holds for everyone, a group of nothing is refused", () => {
    assert.deepEqual(treeOf(emptyQuery(), fields).tree, {});
    assert.deepEqual(again({ all: [leaf("email", "is_true"), {}] }), { all: [leaf("email", "is_true"), { any: [] }] });
    assert.equal(pruned(queryOf({ all: [leaf("email", "is_true"), {}] }, fields)).rules.length, 1);
});

test("what is no tree is left to the text box", () => {
    for (const tree of [null, [], 5, { all: {} }, { all: [], any: [] }, { all: [5] }, { field: 1, op: "eq" }, { field: "score", op: "gte", value: 1, note: "" }])
        assert.equal(queryOf(tree, fields), null);
});
