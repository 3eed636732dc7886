// Recognises small pieces of PHP among its tokens: brackets, lists, literal texts and the test whether a constant is defined.
import { PhpSyntaxError, type PhpToken } from "./php-tokens.ts";

/** Words that PHP makes a text of where it needs one. */
const words: ReadonlyMap<string, string> = new Map([
  ["true", "1"],
  ["false", ""],
  ["null", ""],
]);

/** `defined('X')` or `! defined('X')` at the beginning, and how many tokens that takes. */
export function definedTest(tokens: readonly PhpToken[]) {
  const isNegated = isSymbol(tokens[0], "!");
  const [call, open, name, close] = isNegated ? tokens.slice(1, 5) : tokens;
  if (wordOf(call) !== "defined" || !isSymbol(open, "(") || name?.kind !== "text" || !isSymbol(close, ")")) return null;
  return { constant: name.text, isNegated, length: isNegated ? 5 : 4 };
}

/** Texts joined by dots, a whole number, or a word that PHP makes a text of. */
export function literal(tokens: readonly PhpToken[]): string | null {
  const [only] = tokens;
  if (tokens.length === 1 && only?.kind === "number") return /^(?:0|[1-9]\d{0,14})$/.test(only.text) ? only.text : null;
  if (tokens.length === 1 && only?.kind === "name") return words.get(wordOf(only)) ?? null;
  const fits = tokens.every((token, index) => (index % 2 === 0 ? token.kind === "text" : isSymbol(token, ".")));
  if (!fits || tokens.length % 2 === 0) return null;
  return tokens.map(({ kind, text }) => (kind === "text" ? text : "")).join("");
}

const brackets: ReadonlyMap<string, string> = new Map([
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
]);

/** The index behind the bracket that closes the one at `start`. Throws `PhpSyntaxError`. */
export function endOfGroup(tokens: readonly PhpToken[], start: number): number {
  const open: (string | undefined)[] = [];
  for (let at = start; at < tokens.length; at++) {
    const token = tokens[at];
    if (opens(token)) open.push(brackets.get(token?.text ?? ""));
    else if (closes(token) && token?.text !== open.pop())
      throw new PhpSyntaxError(`line ${token?.line} closes a bracket that is not open`);
    if (open.length === 0) return at + 1;
  }
  throw new PhpSyntaxError(`the bracket on line ${tokens[start]?.line} is never closed`);
}

export function commaSeparated(tokens: readonly PhpToken[]): readonly (readonly PhpToken[])[] {
  const parts: PhpToken[][] = [[]];
  for (let at = 0; at < tokens.length; ) {
    const token = tokens[at] as PhpToken;
    const end = opens(token) ? endOfGroup(tokens, at) : at + 1;
    if (isSymbol(token, ",")) parts.push([]);
    else for (const each of tokens.slice(at, end)) parts.at(-1)?.push(each);
    at = end;
  }
  return parts;
}

export function isSymbol(token: PhpToken | undefined, symbol: string): boolean {
  return token?.kind === "symbol" && token.text === symbol;
}

export function opens(token: PhpToken | undefined): boolean {
  return token?.kind === "symbol" && /^[([{]$/.test(token.text);
}

export function closes(token: PhpToken | undefined): boolean {
  return token?.kind === "symbol" && /^[)\]}]$/.test(token.text);
}

/** Of a name in lower case, as PHP compares functions and keywords; of anything else nothing. */
export function wordOf(token: PhpToken | undefined): string {
  return token?.kind === "name" ? token.text.replace(/^\\/, "").toLowerCase() : "";
}
