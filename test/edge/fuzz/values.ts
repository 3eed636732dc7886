// Values that no honest client sends, as JSON text, because some of them JSON.stringify would never write.
import type { Random } from "./random.ts";

const odd = [
  "null",
  "true",
  "0",
  "-1",
  "1e400",
  "-1e400",
  "1e-400",
  "NaN",
  "Infinity",
  "9007199254740993",
  "-2147483649",
  "2147483648",
  "123456789012345678901234567890",
  "0.1",
  "[]",
  "{}",
  "[null]",
  "[[[[[[]]]]]]",
  `""`,
  `" "`,
  `"\\u0000"`,
  `"a\\u0000b"`,
  `"\\ud800"`,
  `"\\udfff\\ud800"`,
  `"\\uffff"`,
  `"\\u202egnp"`,
  `"\u{1F3C3}"`,
  `"'; DROP TABLE users; --"`,
  `"%s%n%x"`,
  `"../../etc/passwd"`,
  `"<script>"`,
  `"\\r\\nSet-Cookie: a=b"`,
  `"\\u001b[2J"`,
  `"__proto__"`,
  `"constructor"`,
  `"2026-02-30"`,
  `"+275760-09-13T00:00:00.001Z"`,
  `"-000001-01-01T00:00:00Z"`,
  `"0001-01-01T00:00:00Z"`,
  `"9999-12-31T23:59:60Z"`,
  `{"__proto__":{"admin":true}}`,
  `{"constructor":{"prototype":{"x":1}}}`,
  `{"toString":1}`,
  `{"":""}`,
  `{"a":{"b":[{"c":null}]}}`,
] as const;

/** One of them, or a long one. */
export function oddValue(random: Random): string {
  if (random.chance(0.03)) return JSON.stringify("x".repeat(random.pick([255, 256, 1_000, 65_536, 200_000])));
  if (random.chance(0.01)) return `${"[".repeat(5_000)}${"]".repeat(5_000)}`;
  return random.pick(odd);
}

/** The same text with some of it cut, doubled, swapped or replaced. */
export function mangle(random: Random, text: string): string {
  let mangled = text;
  for (let times = random.below(4) + 1; times > 0; times--) {
    const from = random.below(mangled.length + 1);
    const to = Math.min(mangled.length, from + random.below(12));
    const middle = mangled.slice(from, to);
    const junk = random.pick([
      "",
      middle + middle,
      "{",
      "}",
      "(",
      ")",
      "$",
      "...",
      "@",
      '"',
      '"""',
      "\\",
      "\u0000",
      "\ud800",
      "\ufeff",
      "#",
      ":",
      "!",
      "|",
      "&",
      "0x1",
      "1e400",
      "__proto__",
      " ",
      "\u2028",
      "null",
      "fragment x on Query",
    ]);
    mangled = mangled.slice(0, from) + junk + mangled.slice(to);
  }
  return mangled;
}
