// What the server is asked while somebody edits: whom the tree holds for, and what a field looks like.
import { useEffect, useRef, useState } from "preact/hooks";

const PAUSE_MS = 350;
const NOT_REACHED = "The server cannot be reached just now. What you typed is still here.";

/** Return the server's newest answer about a tree, asked for when it stopped changing: {answer, isAsking, error}. */
export function useCheck(address, text, scope) {
    const [state, setState] = useState({ answer: null, isAsking: true, error: "" });
    const asked = useRef(0);
    useEffect(() => {
        const turn = ++asked.current;
        const ending = new AbortController();
        setState((before) => ({ ...before, isAsking: true }));
        const timer = setTimeout(async () => {
            const answer = await post(address, { tree: text, scope }, ending.signal);
            // An answer to what has changed meanwhile would stand beside the wrong conditions.
            if (turn !== asked.current) return;
            if (answer) setState({ answer, isAsking: false, error: "" });
            else setState((before) => ({ ...before, isAsking: false, error: NOT_REACHED }));
        }, PAUSE_MS);
        return () => {
            clearTimeout(timer);
            ending.abort();
        };
    }, [address, text, scope]);
    return state;
}

async function post(address, fields, signal) {
    const token = document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
    try {
        const response = await fetch(address, {
            method: "POST",
            body: new URLSearchParams(fields),
            headers: { "X-CSRFToken": token, Accept: "application/json" },
            credentials: "same-origin",
            signal,
        });
        return response.ok || response.status === 400 ? await response.json() : null;
    } catch {
        return null;
    }
}

const known = new Map();

/** Return how a field's values are spread, asked once a page; null until it is known. */
export function useSpread(address, name) {
    const [spread, setSpread] = useState(null);
    useEffect(() => {
        let isCurrent = true;
        setSpread(null);
        if (!address || !name) return undefined;
        if (!known.has(name)) known.set(name, get(`${address}?name=${encodeURIComponent(name)}`));
        known.get(name).then((found) => {
            if (!found) known.delete(name);
            if (isCurrent) setSpread(found);
        });
        return () => {
            isCurrent = false;
        };
    }, [address, name]);
    return spread;
}

async function get(address) {
    try {
        const response = await fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } });
        return response.ok ? await response.json() : null;
    } catch {
        return null;
    }
}
