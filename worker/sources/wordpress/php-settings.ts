// Follows the statements of a PHP file of settings, and finds out which constants and variables it is certain to set to which text.
import { type Mode, PhpFindings, type PhpSettings, unsure } from "./php-findings.ts";
import { closes, commaSeparated, definedTest, endOfGroup, isSymbol, literal, opens, wordOf } from "./php-pieces.ts";
import { PhpSyntaxError, type PhpToken, phpTokens } from "./php-tokens.ts";

const mostTokens = 200_000;
const deepestNesting = 100;
/** Far more than the name of a constant takes. */
const longestName = 32;
/** What goes around, or may be jumped over, and the word that ends it where it is written with a colon. */
const loops: ReadonlyMap<string, string> = new Map([
  ["for", "endfor"],
  ["foreach", "endforeach"],
  ["while", "endwhile"],
  ["switch", "endswitch"],
  ["catch", ""],
]);
const mayNotRun: ReadonlySet<string> = new Set(["do", "try", "finally"]);
const declarations: ReadonlySet<string> = new Set([
  "function",
  "class",
  "abstract",
  "final",
  "readonly",
  "interface",
  "trait",
  "enum",
]);
const ends: ReadonlySet<string> = new Set(["return", "exit", "die", "throw"]);
const includes: ReadonlySet<string> = new Set(["include", "include_once", "require", "require_once"]);
const assignments: ReadonlySet<string> = new Set(["=", ".=", "??="]);
const branchEnds: ReadonlySet<string> = new Set(["elseif", "else", "endif"]);
const callers: ReadonlySet<string> = new Set(["->", "?->", "::", "function", "new"]);
/** Whether what follows the operator runs where the test before it is true. */
const guardOperators: ReadonlyMap<string, boolean> = new Map([
  ["||", false],
  ["or", false],
  ["&&", true],
  ["and", true],
]);

/** `names` are constants and `$variables`. `endsWith` is the file whose inclusion puts the settings to use. Throws `PhpSyntaxError`. */
export function readPhpSettings(source: string, names: ReadonlySet<string>, endsWith?: string): PhpSettings {
  const tokens: PhpToken[] = [];
  for (const token of phpTokens(source)) {
    if (tokens.push(token) > mostTokens) throw new PhpSyntaxError("it is too long");
  }
  const findings = new PhpFindings(names);
  new SettingsReader(tokens, findings, endsWith).read();
  return findings;
}

class SettingsReader {
  readonly #tokens: readonly PhpToken[];
  readonly #findings: PhpFindings;
  readonly #endsWith: string | undefined;
  #at = 0;

  constructor(tokens: readonly PhpToken[], findings: PhpFindings, endsWith: string | undefined) {
    this.#tokens = tokens;
    this.#findings = findings;
    this.#endsWith = endsWith;
  }

  read(): void {
    while (this.#at < this.#tokens.length) this.#statement("runs", 0);
  }

  #statement(mode: Mode, depth: number): void {
    const token = this.#tokens[this.#at];
    const word = wordOf(token);
    if (depth > deepestNesting) throw new PhpSyntaxError("its conditions are nested too deeply");
    if (isSymbol(token, "{")) {
      this.#at++;
      this.#statementsUntil(mode, depth + 1, (next) => isSymbol(next, "}"));
      this.#at++;
    } else if (closes(token)) throw new PhpSyntaxError(`line ${token?.line} closes a bracket that is not open`);
    else if (word === "if") this.#conditional(mode, depth);
    else if (loops.has(word)) this.#loop(word, mode, depth);
    else if (mayNotRun.has(word)) {
      this.#at++;
      this.#statement(unsure(mode), depth + 1);
    } else if (declarations.has(word)) this.#declaration(mode);
    else if (word === "namespace") throw new PhpSyntaxError(`line ${token?.line} puts it into a namespace`);
    else if (word === "const") this.#constants(mode);
    else if (ends.has(word) && mode === "runs") this.#at = this.#tokens.length;
    else this.#expression(mode);
  }

  #statementsUntil(mode: Mode, depth: number, isEnd: (token: PhpToken | undefined) => boolean): void {
    while (this.#at < this.#tokens.length && !isEnd(this.#tokens[this.#at])) this.#statement(mode, depth);
  }

  /** With `elseif` and `else`, in braces, with colons, or bare. */
  #conditional(mode: Mode, depth: number): void {
    let otherwise = mode;
    const inBranch = (branch: Mode) => {
      if (isSymbol(this.#tokens[this.#at], ":")) {
        this.#at++;
        this.#statementsUntil(branch, depth + 1, (next) => branchEnds.has(wordOf(next)));
      } else this.#statement(branch, depth + 1);
    };
    do {
      this.#at++;
      const condition = this.#parenthesised();
      this.#scan(condition, unsure(otherwise));
      const holds = this.#verdict(condition);
      inBranch(holds === null ? unsure(otherwise) : holds ? otherwise : "skipped");
      otherwise = holds === null ? unsure(otherwise) : holds ? "skipped" : otherwise;
    } while (wordOf(this.#tokens[this.#at]) === "elseif");
    if (wordOf(this.#tokens[this.#at]) === "else") {
      this.#at++;
      inBranch(otherwise);
    }
    if (wordOf(this.#tokens[this.#at]) === "endif") this.#at++;
  }

  #loop(word: string, mode: Mode, depth: number): void {
    const inside = unsure(mode);
    this.#at++;
    this.#scan(this.#parenthesised(), inside);
    if (isSymbol(this.#tokens[this.#at], ":")) {
      this.#at++;
      this.#statementsUntil(inside, depth + 1, (next) => wordOf(next) === loops.get(word));
      this.#at++;
    } else this.#statement(inside, depth + 1);
  }

  /** What is in a function or class runs when somebody calls it. */
  #declaration(mode: Mode): void {
    const start = this.#at;
    while (this.#at < this.#tokens.length) {
      const token = this.#tokens[this.#at];
      if (isSymbol(token, ";")) break;
      if (opens(token)) this.#parenthesised(token?.text);
      else this.#at++;
      if (isSymbol(token, "{")) break;
    }
    this.#scan(this.#tokens.slice(start, this.#at), unsure(mode));
  }

  #constants(mode: Mode): void {
    this.#at++;
    for (const part of commaSeparated(this.#untilSemicolon())) {
      const [name, equals, ...value] = part;
      if (name && isSymbol(equals, "=")) this.#findings.setConstant(name.text, name.line, literal(value), mode);
    }
  }

  #expression(mode: Mode): void {
    let tokens = this.#untilSemicolon();
    const guard = definedTest(tokens);
    const operator = guard && guardOperators.get(tokens[guard.length]?.text.toLowerCase() ?? "");
    if (guard && operator != null) {
      const isDefined = this.#findings.isDefined(guard.constant);
      const goesOn = isDefined === null ? null : (isDefined !== guard.isNegated) === operator;
      mode = goesOn === null ? unsure(mode) : goesOn ? mode : "skipped";
      tokens = tokens.slice(guard.length + 1);
    }
    tokens = tokens.slice(tokens.findIndex((token) => !isSymbol(token, "@")));
    if (mode === "runs" && this.#putsToUse(tokens)) {
      this.#at = this.#tokens.length;
      return;
    }
    const [first, second] = tokens;
    if (first?.kind === "variable" && isSymbol(second, "=")) {
      this.#findings.setVariable(first, literal(tokens.slice(2)), mode);
      this.#scan(tokens.slice(2), unsure(mode));
    } else if (wordOf(first) === "define" && isSymbol(second, "(")) {
      const end = endOfGroup(tokens, 1);
      const [name = [], value = []] = commaSeparated(tokens.slice(2, end - 1));
      this.#findings.define(literal(name), first?.line ?? 0, literal(value), mode);
      this.#scan(tokens.slice(2), unsure(mode));
    } else this.#scan(tokens, unsure(mode));
  }

  #putsToUse(tokens: readonly PhpToken[]): boolean {
    if (this.#endsWith === undefined || !includes.has(wordOf(tokens[0]))) return false;
    return tokens.findLast(({ kind }) => kind === "text")?.text.endsWith(this.#endsWith) ?? false;
  }

  /** Definitions, assignments and inclusions anywhere in a stretch of code, of which nobody knows whether it runs. */
  #scan(tokens: readonly PhpToken[], mode: Mode): void {
    for (const [index, token] of tokens.entries()) {
      const [before, next] = [tokens[index - 1], tokens[index + 1]];
      const word = wordOf(token);
      if (word === "define" && isSymbol(next, "(") && !callers.has(before?.text.toLowerCase() ?? "")) {
        const name = tokens.slice(index + 2, index + 2 + longestName);
        this.#findings.define(
          literal(
            name.slice(
              0,
              name.findIndex((each) => isSymbol(each, ",")),
            ),
          ),
          token.line,
          null,
          mode,
        );
      } else if (includes.has(word)) this.#findings.include(token.line, mode);
      else if (token.kind === "variable" && next?.kind === "symbol" && assignments.has(next.text))
        this.#findings.setVariable(token, null, mode);
    }
  }

  /** Whether a condition holds; null where only PHP knows. */
  #verdict(condition: readonly PhpToken[]): boolean | null {
    const test = definedTest(condition);
    if (test?.length !== condition.length) return null;
    const isDefined = this.#findings.isDefined(test.constant);
    return isDefined === null ? null : isDefined !== test.isNegated;
  }

  /** The tokens within the brackets that open here; goes on behind them. */
  #parenthesised(opening = "("): readonly PhpToken[] {
    const start = this.#at;
    if (!isSymbol(this.#tokens[start], opening))
      throw new PhpSyntaxError(`line ${this.#tokens[start - 1]?.line} is not the PHP it seems to be`);
    this.#at = endOfGroup(this.#tokens, start);
    return this.#tokens.slice(start + 1, this.#at - 1);
  }

  /** Up to the end of the statement, or of the block that it is the last of. */
  #untilSemicolon(): readonly PhpToken[] {
    const start = this.#at;
    while (this.#at < this.#tokens.length) {
      const token = this.#tokens[this.#at];
      if (isSymbol(token, ";")) return this.#tokens.slice(start, this.#at++);
      if (closes(token)) break;
      this.#at = opens(token) ? endOfGroup(this.#tokens, this.#at) : this.#at + 1;
    }
    return this.#tokens.slice(start, this.#at);
  }
}
