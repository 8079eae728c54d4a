// CVE numbers in, scores out. Pure, and tested natively: `node --test`.

const CVE = "^[Cc][Vv][Ee]-[0-9]{4}-[0-9]{4,19}$";
// As many as the request in plugin.toml may name.
const MAX_ASKED = 50;
// More than a model can use.
const MAX_FOUND = 500;

export const found = {
  type: "object",
  properties: { cves: { type: "array", items: { type: "string" }, maxItems: MAX_FOUND } },
  required: ["cves"],
  additionalProperties: false,
};

export const requested = {
  type: "object",
  properties: {
    cves: {
      type: "array",
      description: "CVE numbers, such as CVE-2024-3094.",
      items: { type: "string", maxLength: 28, pattern: CVE },
      minItems: 1,
      maxItems: MAX_ASKED,
    },
  },
  required: ["cves"],
  additionalProperties: false,
};

export const reported = {
  type: "object",
  properties: {
    scores: {
      type: "array",
      items: {
        type: "object",
        properties: {
          cve: { type: "string" },
          probability: { type: "string", description: "From 0 to 1." },
          percentile: { type: "string", description: "The share of all vulnerabilities that score no higher, from 0 to 1." },
          date: { type: "string" },
        },
        required: ["cve", "probability", "percentile", "date"],
        additionalProperties: false,
      },
    },
  },
  required: ["scores"],
  additionalProperties: false,
};

/** A failure as the caller sees it: the record `failure` of wit/types.wit. */
export class ToolFailure extends Error {
  constructor(kind, message, code, retryAfterMs) {
    super(message);
    this.payload = { kind, code, message, retryAfterMs };
  }
}

/** Every CVE number of a text, in upper case and in the order of the text, each once. */
export function find(text) {
  const numbers = text.matchAll(/(?<![\w-])CVE-[0-9]{4}-[0-9]{4,19}(?!\w)/gi);
  return [...new Set(Array.from(numbers, ([number]) => number.toUpperCase()))].slice(0, MAX_FOUND);
}

/** What EPSS answered, as text and for programs. Only what has the expected form is passed on: it is data from outside. */
export function report(answer) {
  if (!Array.isArray(answer?.data)) {
    throw new ToolFailure("upstream", "EPSS answered without any data");
  }
  const fraction = (value) => typeof value === "string" && /^[01]\.[0-9]{1,12}$/.test(value);
  const scores = answer.data
    .map((row) => row ?? {})
    .filter(({ cve }) => typeof cve === "string" && find(cve)[0] === cve)
    .filter(({ epss, percentile, date }) => fraction(epss) && fraction(percentile) && /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(date))
    .map(({ cve, epss, percentile, date }) => ({ cve, probability: epss, percentile, date }))
    .sort((one, other) => Number(other.probability) - Number(one.probability))
    .slice(0, MAX_ASKED);
  const lines = scores.map(({ cve, probability, percentile }) => `${cve}: probability ${probability}, percentile ${percentile}`);
  return { text: lines.join("\n") || "EPSS knows none of these", structured: { scores } };
}
