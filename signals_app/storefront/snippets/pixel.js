// Identity kit, version 1. Permission: required, for marketing and analytics.
const kit = { url: __URL__, cookie: __COOKIE__, storage: __STORAGE__ };
let privacy = (init && init.customerPrivacy) || {};
let last = "";

async function visitor() {
  return (kit.cookie && (await browser.cookie.get(kit.cookie)))
    || (kit.storage && (await browser.localStorage.getItem(kit.storage)))
    || (!kit.cookie && !kit.storage && (await browser.localStorage.getItem("insightarc_visitor")));
}

async function tell(email) {
  if (!email || privacy.marketingAllowed !== true || privacy.analyticsProcessingAllowed !== true) return;
  const anonymous_id = await visitor();
  const body = JSON.stringify({ anonymous_id, email });
  if (!anonymous_id || body === last) return;
  last = body;
  fetch(kit.url, { method: "POST", body, credentials: "omit", keepalive: true }).catch(() => { last = ""; });
}

const tellCustomer = () => tell(init && init.data && init.data.customer && init.data.customer.email);
const tellCheckout = (event) => tell(event.data && event.data.checkout && event.data.checkout.email);
const changes = typeof customerPrivacy !== "undefined" ? customerPrivacy : api.customerPrivacy;
changes.subscribe("visitorConsentCollected", (event) => { privacy = event.customerPrivacy || {}; tellCustomer(); });
analytics.subscribe("page_viewed", tellCustomer);
analytics.subscribe("checkout_contact_info_submitted", tellCheckout);
analytics.subscribe("checkout_completed", tellCheckout);
