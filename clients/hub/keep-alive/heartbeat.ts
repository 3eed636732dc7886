// Tells the hub again and again that this process lives.
import { setTimeout as pause } from "node:timers/promises";
import { ask } from "./ask.ts";
import type { HeartbeatNews, HeartbeatState, HubAccess } from "./messages.ts";

const document = "mutation Heartbeat($input: HeartbeatInput!) { heartbeat(input: $input) { serverTime inventoryDue } }";
const timeoutMs = 10_000;

export class Heartbeat {
  readonly #access: HubAccess;
  readonly #report: (news: HeartbeatNews) => void;
  readonly #onHeard: (said: HeartbeatState) => void;
  readonly #onInventoryDue: () => void;
  #state: HeartbeatState;
  #early = new AbortController();

  /** `report` hears of changes, `onHeard` of every beat that the hub answered, and of what it said. */
  constructor(
    access: HubAccess,
    state: HeartbeatState,
    {
      report,
      onHeard,
      onInventoryDue,
    }: {
      report: (news: HeartbeatNews) => void;
      onHeard: (said: HeartbeatState) => void;
      onInventoryDue: () => void;
    },
  ) {
    this.#onHeard = onHeard;
    this.#access = access;
    this.#state = state;
    this.#report = report;
    this.#onInventoryDue = onInventoryDue;
  }

  /** A change of `draining` is told at once, everything else with the next beat: one after the other, so that none overtakes. */
  tell(state: HeartbeatState): void {
    if (state.draining !== this.#state.draining) this.#early.abort();
    this.#state = state;
  }

  async run(everySeconds: number): Promise<never> {
    let told: HeartbeatNews = "heard";
    for (;;) {
      this.#early = new AbortController();
      const said = this.#state;
      const news = await this.#beat(said);
      if (news === "heard") this.#onHeard(said);
      if (news !== told) this.#report(news);
      told = news;
      await pause(everySeconds * 1000, undefined, { signal: this.#early.signal }).catch(() => undefined);
    }
  }

  async #beat(state: HeartbeatState): Promise<HeartbeatNews> {
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await ask<{ heartbeat?: { inventoryDue: boolean } }>(this.#access, document, state, signal);
    if (answer === null) return "unreachable";
    if (answer.data?.heartbeat?.inventoryDue) this.#onInventoryDue();
    return answer.data?.heartbeat ? "heard" : (answer.errors?.[0]?.extensions?.code ?? `status ${answer.status}`);
  }
}
