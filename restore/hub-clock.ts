// Tells the time as the hub has it, so that links end when the hub says, however wrong this machine's own clock is.

export class HubClock {
  /** Of the monotonic clock; this machine's own idea until the hub has been heard. */
  #originMs = Date.now() - performance.now();

  now(): Date {
    return new Date(this.#originMs + performance.now());
  }

  learn(serverTime: string): void {
    this.#originMs = Date.parse(serverTime) - performance.now();
  }
}
