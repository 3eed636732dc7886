// Cuts PHP source into its tokens, by PHP's own rules of quoting. Knows no grammar and runs nothing.

export interface PhpToken {
  /** A `computed` one is a text with something to be filled in, whose value only PHP knows. */
  readonly kind: "name" | "variable" | "text" | "computed" | "number" | "symbol";
  /** Of a text its value, one character for every byte; otherwise what is written there. */
  readonly text: string;
  readonly line: number;
}

/** `message` is the end of a sentence, and has nothing from the file but the number of a line. */
export class PhpSyntaxError extends Error {
  override readonly name = "PhpSyntaxError";
}

const nameStart = "A-Za-z_\\x80-\\xff";
const openTag = /<\?(?:php(?=[ \t\r\n]|$)|=)?/giy;
const blank = /[ \t\r\n\v\f]+/y;
const lineComment = /(?:\/\/|#)(?:(?!\?>)[^\r\n])*/y;
const nameToken = new RegExp(`\\\\?[${nameStart}][\\w\\x80-\\xff]*(?:\\\\[${nameStart}][\\w\\x80-\\xff]*)*`, "y");
const variableToken = new RegExp(`\\$[${nameStart}][\\w\\x80-\\xff]*`, "y");
const numberToken = /(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?[\w]*/y;
const heredocStart = new RegExp(`<<<[ \\t]*(["']?)([${nameStart}][\\w\\x80-\\xff]*)\\1(?:\\r\\n|\\r|\\n)`, "y");
const symbolToken = /\|\||&&|\?\?=?|->|\?->|::|=>|===?|!==?|<=|>=|\+\+|--|[.+\-*/%&|^]=|\.\.\.|[\x21-\x7e]/y;
const interpolation = new RegExp(`[${nameStart}]`);

/** `source` has one character for every byte of the file. Takes time in proportion to its length. Throws `PhpSyntaxError`. */
export function* phpTokens(source: string): Generator<PhpToken> {
  let at = 0;
  let line = 1;
  let countedTo = 0;
  /** Positions are asked for in rising order. */
  function lineAt(position: number): number {
    for (; countedTo < position; countedTo++) {
      const character = source[countedTo];
      if (character === "\n" || (character === "\r" && source[countedTo + 1] !== "\n")) line++;
    }
    return line;
  }
  function match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found) at = pattern.lastIndex;
    return found;
  }
  function token(kind: PhpToken["kind"], text: string, from: number): PhpToken {
    return { kind, text, line: lineAt(from) };
  }

  /** Past the text around PHP; false at the end of the file. */
  function* enterPhp(): Generator<PhpToken, boolean> {
    const from = source.indexOf("<?", at);
    if (from < 0) return false;
    at = from;
    const tag = match(openTag)?.[0] ?? "";
    if (tag === "<?")
      throw new PhpSyntaxError(`line ${lineAt(from)} has a tag that PHP may or may not take for its own`);
    if (tag === "<?=") yield token("name", "echo", from);
    return true;
  }

  if (!(yield* enterPhp())) return;
  while (at < source.length) {
    if (match(blank)) continue;
    const from = at;
    if (source.startsWith("?>", at)) {
      at += 2;
      yield token("symbol", ";", from);
      if (!(yield* enterPhp())) return;
    } else if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2);
      if (end < 0) throw new PhpSyntaxError(`the comment that begins on line ${lineAt(from)} has no end`);
      at = end + 2;
    } else if (source.startsWith("#[", at)) {
      throw new PhpSyntaxError(
        `line ${lineAt(from)} has “#[”, which is a comment to some versions of PHP and code to others`,
      );
    } else if (!match(lineComment)) {
      const isBinary = /^b(?:['"]|<<<)/i.test(source.slice(at, at + 4));
      if (isBinary) at++;
      const text = quotedText(source, at, () => lineAt(from)) ?? heredoc(from);
      if (text) {
        at = text.end;
        yield text.value === null ? token("computed", "", from) : token("text", text.value, from);
        continue;
      }
      if (isBinary) at--;
      const name = match(nameToken)?.[0];
      if (name?.toLowerCase() === "__halt_compiler") return;
      if (name !== undefined) yield token("name", name, from);
      else if (match(variableToken)) yield token("variable", source.slice(from, at), from);
      else if (match(numberToken)) yield token("number", source.slice(from, at), from);
      else if (match(symbolToken)) yield token("symbol", source.slice(from, at), from);
      else throw new PhpSyntaxError(`line ${lineAt(from)} has a character that means nothing in PHP`);
    }
  }

  function heredoc(from: number): QuotedText | null {
    const start = match(heredocStart);
    if (!start) return null;
    const [, quote, label = ""] = start;
    const closing = new RegExp(`(^|\\r\\n|\\r|\\n)([ \\t]*)${label}(?![\\w\\x80-\\xff])`, "g");
    // The line break before the body may be the one before the closing label as well.
    const bodyFrom = at;
    const body = source.slice(bodyFrom);
    const end = closing.exec(body);
    if (!end) throw new PhpSyntaxError(`the text that begins on line ${lineAt(from)} has no end`);
    const raw = body.slice(0, end.index);
    const value = end[2] === "" ? (quote === "'" ? raw : resolveEscapes(raw, "")) : null;
    return { value, end: bodyFrom + closing.lastIndex };
  }
}

interface QuotedText {
  /** Null where it has something to be filled in. */
  readonly value: string | null;
  readonly end: number;
}

/** A text in quotes of any kind; null where there is none at this place. */
function quotedText(source: string, from: number, line: () => number): QuotedText | null {
  const quote = source[from];
  if (quote !== "'" && quote !== '"' && quote !== "`") return null;
  let at = from + 1;
  while (at < source.length && source[at] !== quote) {
    if (source[at] === "\\") at += 2;
    else if (quote !== "'" && (source.startsWith("{$", at) || source.startsWith("${", at))) at = pastBraces(source, at);
    else at++;
  }
  if (at >= source.length) throw new PhpSyntaxError(`the text that begins on line ${line()} has no end`);
  const raw = source.slice(from + 1, at);
  const end = at + 1;
  if (quote === "'") return { value: raw.replace(/\\([\\'])/g, "$1"), end };
  return { value: quote === '"' ? resolveEscapes(raw, quote) : null, end };

  /** Past code within a text. A quote in there could end the text or not: that is left to PHP. */
  function pastBraces(code: string, start: number): number {
    let depth = 0;
    for (let next = start; next < code.length; next++) {
      const character = code[next];
      if (character === "{") depth++;
      else if (character === "}" && --depth === 0) return next + 1;
      else if (character === "'") {
        const text = quotedText(code, next, line);
        next = (text?.end ?? next) - 1;
      } else if (/["`#/<\\]/.test(character ?? ""))
        throw new PhpSyntaxError(`the text that begins on line ${line()} has code in it that is too involved`);
    }
    throw new PhpSyntaxError(`the text that begins on line ${line()} has no end`);
  }
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  v: "\v",
  e: "\x1b",
  f: "\f",
  "\\": "\\",
  $: "$",
};
const escapeSequence = /\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u\{([^}]*\}?)|([\s\S]))/g;

/** What a text in double quotes, or a heredoc, is to PHP. Null where a variable is to be filled in. */
function resolveEscapes(raw: string, quote: string): string | null {
  for (const { index } of raw.replace(/\\[\s\S]/g, "  ").matchAll(/\$|\{/g)) {
    const [here = "", next = ""] = [raw[index], raw[index + 1]];
    if (here === "$" ? next === "{" || interpolation.test(next) : next === "$") return null;
  }
  return raw.replace(escapeSequence, (whole, octal?: string, hex?: string, unicode?: string, character = "") => {
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (unicode !== undefined) return codePoint(unicode);
    return character === quote ? quote : (escapes[character] ?? whole);
  });
}

function codePoint(digits: string): string {
  const value = /^[0-9A-Fa-f]+\}$/.test(digits) ? Number.parseInt(digits, 16) : Number.POSITIVE_INFINITY;
  if (value > 0x10ffff) throw new PhpSyntaxError("it has a “\\u{…}” that is no character");
  return Buffer.from(String.fromCodePoint(value)).toString("latin1");
}
