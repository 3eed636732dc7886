// Asks a person one thing after another: on a terminal, or answered line by line from a pipe.
import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import { CommandError, exitCodes } from "./failure.ts";
import type { Output, Terminal } from "./terminal.ts";

export interface Choice<Value> {
  readonly value: Value;
  readonly text: string;
}

/** Disposing gives the input back. Every question throws `CommandError` where the input ends or is interrupted. */
export class Questions implements Disposable {
  readonly #reader: Interface;
  readonly #lines: AsyncIterator<string>;
  readonly #output: Output;
  readonly #isTTY: boolean;
  readonly #interrupted: Promise<never>;
  #muted = false;

  constructor({ stdin, stderr, signal }: Terminal) {
    this.#output = stderr;
    this.#isTTY = stdin.isTTY === true;
    // What is typed is echoed by readline, and only while it may be seen.
    const echo = new Writable({
      write: (chunk, _encoding, done) => {
        if (!this.#muted && this.#isTTY) stderr.write(String(chunk));
        done();
      },
    });
    this.#reader = createInterface({ input: stdin, output: echo, terminal: this.#isTTY, historySize: 0 });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    const interrupted = Promise.withResolvers<never>();
    interrupted.promise.catch(() => undefined);
    this.#interrupted = interrupted.promise;
    const interrupt = () => interrupted.reject(new CommandError("Interrupted.", { exitCode: exitCodes.interrupted }));
    // Ctrl-C is a key like any other while the terminal hands over every key.
    this.#reader.once("SIGINT", interrupt);
    signal.addEventListener("abort", interrupt, { once: true });
  }

  say(text: string): void {
    this.#output.write(`${text}\n`);
  }

  /** One line, without the blanks around it; `fallback` where it is empty. Asked again while `fault` finds one. */
  async text(label: string, fallback?: string, fault?: (answer: string) => string | null): Promise<string> {
    for (;;) {
      const shown = fallback === undefined || fallback === "" ? "" : ` [${fallback}]`;
      const answer = (await this.#read(`${label}${shown}: `)).trim() || fallback;
      if (answer === undefined) this.say("  Something has to stand here.");
      else {
        const wrong = fault?.(answer) ?? null;
        if (wrong === null) return answer;
        this.say(`  ${wrong}`);
      }
    }
  }

  async number(label: string, fallback: number): Promise<number> {
    const isNumber = (answer: string) => (/^\d{1,9}$/.test(answer) ? null : "A whole number, please.");
    return Number(await this.text(label, String(fallback), isNumber));
  }

  /** As it was typed, which nobody sees; empty where nothing was. */
  async secret(label: string): Promise<string> {
    this.#output.write(`${label}: `);
    this.#muted = true;
    try {
      return await this.#next();
    } finally {
      this.#muted = false;
      this.#output.write("\n");
    }
  }

  async yes(label: string, fallback: boolean): Promise<boolean> {
    const isYesOrNo = (answer: string) => (/^(y|yes|n|no)$/i.test(answer) ? null : "Yes or no, please.");
    return /^y/i.test(await this.text(`${label} (yes/no)`, fallback ? "yes" : "no", isYesOrNo));
  }

  async choose<Value>(label: string, choices: readonly Choice<Value>[]): Promise<Value> {
    choices.forEach(({ text }, index) => void this.say(`  ${index + 1}  ${text}`));
    const isChoice = (answer: string) =>
      choices[Number(answer) - 1] === undefined ? `A number from 1 to ${choices.length}, please.` : null;
    const chosen = choices[Number(await this.text(label, undefined, isChoice)) - 1];
    if (!chosen) throw new Error("an answer that was checked is none");
    return chosen.value;
  }

  [Symbol.dispose](): void {
    this.#reader.close();
  }

  async #read(prompt: string): Promise<string> {
    this.#output.write(prompt);
    const line = await this.#next();
    if (!this.#isTTY) this.#output.write("\n");
    return line;
  }

  async #next(): Promise<string> {
    const { done, value } = await Promise.race([this.#lines.next(), this.#interrupted]);
    if (done) throw new CommandError("The answers ended before everything was asked.", { exitCode: exitCodes.usage });
    return value;
  }
}
