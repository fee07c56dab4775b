// The forms in which a body may be signed, made by Node itself.
//
//   node signed_forms.mjs SECRET URL < texts.json      texts: [text, ...]
//
// Prints [{"stringified": base64 of JSON.stringify(JSON.parse(text)) or null, "low": base64 of the text as "binary",
// "signatures": {"AS_SENT", "LOW_BYTE", "STRINGIFIED"}}, ...].
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

const [secret, webhookUrl] = process.argv.slice(2);
if (!secret || !webhookUrl) {
  console.error("usage: node signed_forms.mjs SECRET URL < texts.json");
  process.exit(2);
}

const sign = (text, encoding) => createHmac("sha1", secret).update(text + webhookUrl, encoding).digest("base64");

function printedAgain(text) {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

const forms = JSON.parse(readFileSync(0, "utf8")).map((text) => {
  const printed = printedAgain(text);
  return {
    stringified: printed === null ? null : Buffer.from(printed, "utf8").toString("base64"),
    low: Buffer.from(text, "binary").toString("base64"),
    signatures: {
      AS_SENT: sign(text, "utf8"),
      LOW_BYTE: sign(text, "binary"),
      STRINGIFIED: printed === null ? null : sign(printed, "utf8"),
    },
  };
});
console.log(JSON.stringify(forms));
