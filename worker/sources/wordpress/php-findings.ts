// What is known of the constants and variables of a PHP file while it is followed: which counts of several, and what is certain.
import type { PhpToken } from "./php-tokens.ts";

export interface PhpSetting {
  /** One character for every byte; null where PHP would have to compute it. */
  readonly value: string | null;
  readonly line: number;
  /** Whether it is set whatever happens, rather than under a condition or in code that may never run. */
  readonly isCertain: boolean;
}

export interface PhpSettings {
  /** By constant, or by variable with its `$`: only those that were asked for. */
  readonly found: ReadonlyMap<string, PhpSetting>;
  /** The line of the first other file that is included, and of the first constant whose name is computed. */
  readonly includedOn: number | null;
  readonly computedNameOn: number | null;
}

/** What is known of a stretch of code: that it runs, that it does not, or neither. */
export type Mode = "runs" | "maybe" | "skipped";

/** Of the given names alone. */
export class PhpFindings implements PhpSettings {
  readonly found = new Map<string, PhpSetting>();
  includedOn: number | null = null;
  computedNameOn: number | null = null;
  readonly #names: ReadonlySet<string>;

  constructor(names: ReadonlySet<string>) {
    this.#names = names;
  }

  /** A name that is null could be any. */
  define(name: string | null, line: number, value: string | null, mode: Mode): void {
    if (name !== null) this.setConstant(name, line, value, mode);
    else if (mode !== "skipped") this.computedNameOn ??= line;
  }

  /** The first one counts. */
  setConstant(name: string, line: number, value: string | null, mode: Mode): void {
    if (mode === "skipped" || !this.#names.has(name) || this.found.has(name)) return;
    this.found.set(name, { value, line, isCertain: mode === "runs" && this.computedNameOn === null });
  }

  /** The last one counts. */
  setVariable({ text: name, line }: PhpToken, value: string | null, mode: Mode): void {
    if (mode === "skipped" || !this.#names.has(name)) return;
    this.found.set(name, { value, line, isCertain: mode === "runs" });
  }

  include(line: number, mode: Mode): void {
    if (mode !== "skipped") this.includedOn ??= line;
  }

  /** Null where only PHP knows. */
  isDefined(constant: string): boolean | null {
    const setting = this.found.get(constant);
    if (setting) return setting.isCertain ? true : null;
    return this.#names.has(constant) && this.includedOn === null && this.computedNameOn === null ? false : null;
  }
}

export function unsure(mode: Mode): Mode {
  return mode === "skipped" ? mode : "maybe";
}
