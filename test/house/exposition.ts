// Reads the text form of Prometheus's metrics, as strictly as `promtool check metrics` does for what matters.
import assert from "node:assert/strict";

export interface Family {
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly help: string;
  readonly samples: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

/** Throws an `AssertionError` for text that is not valid. */
export function parseExposition(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let help: [name: string, text: string] | null = null;
  let current: [name: string, family: Family] | null = null;
  assert.ok(text.endsWith("\n"), "the last line has an end");
  for (const line of text.split("\n").slice(0, -1)) {
    if (line === "") continue;
    const [, word, name = "", rest = ""] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? [];
    if (word === "HELP") {
      assert.ok(!families.has(name), `${name} is told twice`);
      help = [name, rest];
    } else if (word === "TYPE") {
      assert.equal(help?.[0], name, `${name} has help`);
      assert.match(rest, /^(counter|gauge|histogram|summary)$/);
      const family: Family = { type: rest as Family["type"], help: help?.[1] ?? "", samples: [] };
      assert.ok(rest !== "counter" || name.endsWith("_total"), `${name} is called as its type wants`);
      current = [name, family];
      families.set(name, family);
    } else addSample(line, current, seen);
  }
  return families;
}

function addSample(line: string, current: [string, Family] | null, seen: Set<string>): void {
  const parsed = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  assert.ok(parsed && current, `not a sample: ${line}`);
  const [, name = "", list = "", text = ""] = parsed;
  const [family, { type, samples }] = current;
  const suffixes =
    type === "histogram" ? ["_bucket", "_sum", "_count"] : type === "summary" ? ["", "_sum", "_count"] : [""];
  assert.ok(
    suffixes.some((suffix) => name === family + suffix),
    `${name} stands under ${family}`,
  );
  const labels: Record<string, string> = {};
  const rest = list.replaceAll(
    /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/g,
    (_, label: string, value: string) => {
      assert.ok(!(label in labels), `${label} twice in ${line}`);
      labels[label] = value;
      return "";
    },
  );
  assert.equal(rest, "", `not labels: ${list}`);
  const identity = `${name}${JSON.stringify(Object.entries(labels).sort())}`;
  assert.ok(!seen.has(identity), `${line} is told twice`);
  seen.add(identity);
  const value = text === "+Inf" ? Number.POSITIVE_INFINITY : text === "Nan" ? Number.NaN : Number(text);
  assert.ok(text === "Nan" || !Number.isNaN(value), `not a number: ${line}`);
  samples.push({ name, labels, value });
}

/** Of the sample with these labels; 0 where there is none. */
export function sumOf(families: Map<string, Family>, name: string, labels: Record<string, string> = {}): number {
  const found = families
    .get(name)
    ?.samples.filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value));
  return (found ?? []).reduce((sum, { value }) => sum + value, 0);
}
