// A receiver of Insightarc's webhooks as its documentation describes one: it parses the body, prints it again and
// compares the signature of that text followed by the registered address.
//
//   node verify_signature.mjs SECRET URL < cases.json     cases: [{"body": text as posted, "signature": header}, ...]
//
// Exits 0 when every case verifies, 1 when one does not (printed on standard error), 2 when called wrongly.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

const [secret, webhookUrl] = process.argv.slice(2);
if (!secret || !webhookUrl) {
  console.error("usage: node verify_signature.mjs SECRET URL < cases.json");
  process.exit(2);
}

function isVerified({ body, signature }) {
  const printedAgain = JSON.stringify(JSON.parse(body)) + webhookUrl;
  const expected = Buffer.from(createHmac("sha1", secret).update(printedAgain).digest("base64"));
  const given = Buffer.from(signature);
  return expected.length === given.length && timingSafeEqual(expected, given);
}

const cases = JSON.parse(readFileSync(0, "utf8"));
const refused = cases.filter((posted) => !isVerified(posted));
for (const posted of refused.slice(0, 3)) {
  console.error(`does not verify: ${posted.body}`);
}
process.exit(refused.length === 0 ? 0 : 1);
