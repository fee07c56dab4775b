// Identity kit 1: before consent it reads, stores and sends nothing.
(() => {
  const page = document, tag = page.currentScript;
  const { key, email, proof, externalId: external_id, externalIdProof: external_id_proof, sessionId: session_id,
    consent: mode, consentEvent, visitorGlobal: global, visitorCookie: cookie, visitorStorage: stored } = tag.dataset;
  const url = new URL(`/t/${key}/identify`, tag.src), who = { email, proof, external_id, external_id_proof, session_id };
  let may = false, tries = 0, seen = 0;
  const safe = (work) => { try { return work(); } catch {} };

  // Not to be passed on with a copied link
  const click = new URLSearchParams(location.search).get("ia_click");
  if (click) history.replaceState(history.state, "",
    location.href.replace(/([?&])ia_click=[^&#]*&?/, "$1").replace(/[?&](?=#|$)/, ""));

  const named = (name) => safe(() => {
    let owner, value = window;
    for (const part of name.split(".")) [owner, value] = [value, value[part]];
    return typeof value == "function" ? value.call(owner) : value;
  });
  const visitor = () => may && safe(() => {
    if (!(global || cookie || stored)) return localStorage.insightarc_visitor ||= crypto.randomUUID();
    const pair = page.cookie.split("; ").find((one) => one.startsWith(cookie + "="));
    return named(global) || (pair && decodeURIComponent(pair.slice(cookie.length + 1))) || localStorage[stored];
  });
  const post = (said) => fetch(url, { method: "POST", body: JSON.stringify(said), credentials: "omit", keepalive: true });

  const send = () => {
    const said = { anonymous_id: visitor(), ...who };
    if (!said.anonymous_id) return may && tries++ < 20 && setTimeout(send, 500);
    let mark = 7;
    for (const sign of JSON.stringify(said)) mark = mark * 31 + sign.codePointAt() | 0;
    if ((who.email || who.external_id || who.session_id) && safe(() => sessionStorage.insightarc_sent) != mark)
      post(said).then((answer) => { if (answer.ok) sessionStorage.insightarc_sent = mark; }).catch(() => {});
  };
  // A person looks for two seconds; a scanner does not.
  const watch = click && setInterval(() => {
    if (page.visibilityState == "visible") seen += 250;
    const anonymous_id = seen > 2000 && visitor();
    if (anonymous_id) clearInterval(watch), post({ anonymous_id, click }).catch(() => {});
  }, 250);

  const consent = (given) => {
    if (may && given !== true) safe(() => { delete localStorage.insightarc_visitor; delete sessionStorage.insightarc_sent; });
    may = given === true;
    send();
  };
  const identify = (more) => { Object.assign(who, more); send(); };
  const ask = () => consent(mode == "given" || named(mode));
  const waiting = window.insightarcIdentity || [], push = ([name, value]) => ({ consent, identify })[name](value);
  window.insightarcIdentity = { push, visitor };
  if (mode) {
    if (consentEvent) for (const each of [window, page]) each.addEventListener(consentEvent, ask);
    ask();
  }
  waiting.forEach(push);
})();
