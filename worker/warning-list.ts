// Collects the warnings of one backup, within bounds: what is beyond them is counted, and said to be.
import type { Warning } from "#artifact/node";

const mostListed = 10_000;

export class WarningList {
  /** Grows while the source is read, also by others. */
  readonly kept: Warning[] = [];
  readonly #most: number;
  readonly #summary: { -readonly [Field in keyof Warning]: Warning[Field] } = {
    code: "SPECIAL_SKIPPED",
    path: "",
    message: "",
  };
  #unlisted = 0;

  constructor(most = mostListed) {
    this.#most = most;
  }

  readonly add = (warning: Warning): void => {
    if (this.kept.length < this.#most) {
      this.kept.push(warning);
      return;
    }
    if (this.#unlisted++ === 0) this.kept.push(this.#summary);
    this.#summary.message = `${this.#unlisted} more warnings are not listed.`;
    // Whatever is missing from the snapshot must show in what the snapshot says of itself.
    if (warning.code !== "SPECIAL_SKIPPED") this.#summary.code = warning.code;
  };
}
