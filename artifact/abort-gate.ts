// Lets an abort end whatever is being waited for, with one listener for any number of waits.

/** For one wait at a time. A wait that was ended is abandoned: its outcome is of no interest to anybody. */
export class AbortGate implements Disposable {
  readonly #signal: AbortSignal;
  #reject: (reason: unknown) => void = () => {};
  readonly #abort = () => this.#reject(this.#signal.reason);

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** Settles as `work` does, or rejects with the signal's reason, whichever is first. */
  pass<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      work.then(resolve, reject);
      if (this.#signal.aborted) this.#abort();
    });
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#abort);
  }
}
