// Makes this service known to the hub, and keeps it known: what it can do, whose stores it reads, and that it is alive.
import { once } from "node:events";
import type { Logger } from "pino";
import { type HubClient, protocolVersion } from "../clients/hub/hub-client.ts";
import type { ProcessIdentity } from "../clients/hub/identity.ts";
import type { HubClock } from "./hub-clock.ts";
import type { Stores } from "./stores.ts";

/** The half minute of a process that goes down is for its work. */
const goodbyeMs = 2_000;

export interface AdmissionTerms {
  readonly hub: HubClient;
  readonly identity: ProcessIdentity;
  readonly stores: Stores;
  readonly clock: HubClock;
  readonly workerId: string;
  readonly version: string;
  readonly log: Logger;
}

/** Shorter silences of the hub are no outage. */
const mostSilentMs = 10_000;

export class Admission {
  readonly #terms: AdmissionTerms;
  #registered: { readonly stores: string; readonly heartbeatSeconds: number } | null = null;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #draining = false;
  #beating: Promise<void> = Promise.resolve();

  constructor(terms: AdmissionTerms) {
    this.#terms = terms;
  }

  /** Null until the hub has admitted this service. */
  get heartbeatSeconds(): number | null {
    return this.#registered?.heartbeatSeconds ?? null;
  }

  /** Since when the hub has not answered, by the clock of the hub; null while it does. */
  get awaySince(): Date | null {
    const silentMs = performance.now() - this.#heardAtMs;
    const patienceMs = Math.max(mostSilentMs, (this.heartbeatSeconds ?? 0) * 3_000);
    return Number.isFinite(silentMs) && silentMs > patienceMs
      ? new Date(this.#terms.clock.now().getTime() - silentMs)
      : null;
  }

  /** Registers where that is due, sends a heartbeat where that is due. Throws `HubError`. */
  async refresh(signal?: AbortSignal): Promise<void> {
    const stores = await this.#terms.stores.look();
    if (this.#registered?.stores !== stores.join()) await this.#register(stores, signal);
    const beatMs = (this.heartbeatSeconds ?? 0) * 1000;
    if (performance.now() - this.#heardAtMs >= beatMs) await this.#beat(signal);
  }

  /** From now on the hub gives this service nothing more. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (!this.#registered) return;
    const signal = AbortSignal.timeout(goodbyeMs);
    // A hub that hangs holds up the beat before it, too.
    const tooLate = once(signal, "abort").then(() => signal.throwIfAborted());
    await Promise.race([this.#beat(signal), tooLate]);
  }

  async #register(stores: string[], signal?: AbortSignal): Promise<void> {
    const { hub, identity, workerId, version, log } = this.#terms;
    const { heartbeatSeconds, workerId: admittedAs } = await hub.registerWorker(
      {
        protocol: protocolVersion,
        role: "RESTORE",
        publicKey: identity.publicKey,
        capabilities: {
          version,
          jobTypes: ["RESTORE", "VERIFY"],
          sourceTypes: [],
          tools: { node: process.version },
          readsStoresOf: stores,
        },
      },
      { signal },
    );
    if (admittedAs !== workerId)
      log.error({ workerId, admittedAs }, "the token belongs to another worker than WORKER_ID says");
    this.#registered = { stores: stores.join(), heartbeatSeconds };
    log.info({ workerId: admittedAs, stores }, "admitted by the hub");
  }

  /** One after the other: what was said last is what the hub heard last. */
  async #beat(signal?: AbortSignal): Promise<void> {
    const before = this.#beating;
    const beat = before.catch(() => undefined).then(() => this.#say(signal));
    this.#beating = beat;
    await beat;
  }

  async #say(signal?: AbortSignal): Promise<void> {
    const { hub, clock } = this.#terms;
    const { serverTime } = await hub.heartbeat({ draining: this.#draining }, { signal });
    clock.learn(serverTime);
    this.#heardAtMs = performance.now();
  }
}
