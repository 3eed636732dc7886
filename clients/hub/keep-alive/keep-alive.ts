// Keeps the hub convinced that this process lives and works, from one thread of its own: a busy event loop is no dead worker and
// loses no lease, and a silent hub cannot prolong one.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import { JobCanceledError, type Lease, LeaseLostError } from "./lease.ts";
import { nowMs } from "./lease-renewal.ts";
import type { HeartbeatNews, HeartbeatState, HubAccess, LeaseNews, LeaseTerms, Order, Report } from "./messages.ts";

const restartMs = 1_000;
/** Megabytes of the thread's heap: it holds next to nothing, and would otherwise grow like one that does. */
const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

type KeepOrder = Extract<Order, { keep: unknown }>;

/** Starts its thread at once; disposal ends it, and everything that it kept. */
export class KeepAlive implements AsyncDisposable {
  readonly #access: HubAccess;
  readonly #log: Logger;
  readonly #leases = new Map<number, { readonly controller: AbortController; readonly order: KeepOrder }>();
  /** Shared with the thread, which writes it at every answer. */
  readonly #heardAtMs = new BigInt64Array(new SharedArrayBuffer(8)).fill(BigInt(nowMs()));
  #count = 0;
  #beat: Extract<Order, { beat: unknown }> | null = null;
  #thread: Worker;
  #restart: NodeJS.Timeout | null = null;
  #disposed = false;
  #onInventoryDue: (() => void) | null = null;
  readonly #drained = Promise.withResolvers<void>();
  #draining = false;

  constructor(access: HubAccess, log: Logger) {
    this.#access = access;
    this.#log = log;
    this.#thread = this.#start();
  }

  /** Called whenever the hub asks for an inventory of the store, which it does with every beat until there was one. */
  set onInventoryDue(listener: () => void) {
    this.#onInventoryDue = listener;
  }

  /** The first call starts the heartbeat; later ones change what it says. */
  beat(everySeconds: number, room: Omit<HeartbeatState, "draining">): void {
    this.#beat = { beat: { everySeconds, state: { ...room, draining: this.#draining } } };
    this.#thread.postMessage(this.#beat);
  }

  /** For good: tells the hub at once that this process takes nothing more. Rejects with the reason of `signal`. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    if (!this.#beat) return;
    const { everySeconds, state } = this.#beat.beat;
    this.beat(everySeconds, state);
    signal.throwIfAborted();
    const tooLate = once(signal, "abort").then(() => signal.throwIfAborted());
    await Promise.race([this.#drained.promise, tooLate]);
  }

  /**
   * Starts renewing at once; call it directly after the claim. Renewal goes on after a cancellation and ends with disposal, which
   * may happen twice. A lease of which two thirds passed without an acknowledged renewal counts as lost.
   */
  keepLease(terms: LeaseTerms): Lease {
    const lease = ++this.#count;
    const controller = new AbortController();
    const order: KeepOrder = { keep: { lease, terms, heldSinceMs: nowMs() } };
    this.#leases.set(lease, { controller, order });
    this.#thread.postMessage(order);
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        this.#leases.delete(lease);
        this.#thread.postMessage({ drop: lease } satisfies Order);
      },
    };
  }

  /** Something may be new about this job, such as its cancellation: its lease is renewed at once, where it is kept here. */
  attend(jobId: string): void {
    for (const [lease, { order }] of this.#leases)
      if (order.keep.terms.jobId === jobId) this.#thread.postMessage({ renew: lease } satisfies Order);
  }

  /** How long ago the hub last answered a heartbeat. */
  get unheardSeconds(): number {
    return Math.max(0, nowMs() - Number(Atomics.load(this.#heardAtMs, 0))) / 1000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    if (this.#restart) clearTimeout(this.#restart);
    await this.#thread.terminate();
  }

  #start(): Worker {
    const script = new URL("./thread.ts", import.meta.url);
    const thread = new Worker(script, {
      workerData: { ...this.#access, heardAtMs: this.#heardAtMs },
      env: {},
      execArgv: [],
      resourceLimits,
    });
    thread.on("message", (report: Report) => {
      if ("heartbeat" in report) this.#heardOfHeartbeat(report.heartbeat);
      else if ("inventoryDue" in report) this.#onInventoryDue?.();
      else if ("drained" in report) this.#drained.resolve();
      else this.#heardOfLease(report.lease, report.news);
    });
    thread.on("error", (error) => this.#log.error({ err: error }, "the thread that talks to the hub failed"));
    thread.on("exit", () => this.#ended());
    return thread;
  }

  #heardOfHeartbeat(news: HeartbeatNews): void {
    if (news === "heard") this.#log.info("the hub is back");
    else this.#log.warn({ reason: news }, "the hub does not hear this process");
  }

  #heardOfLease(lease: number, news: LeaseNews): void {
    const reason =
      news === "canceled"
        ? new JobCanceledError("the job was canceled")
        : new LeaseLostError("the lease of the job is lost");
    this.#leases.get(lease)?.controller.abort(reason);
  }

  /** Nobody renewed what was held meanwhile, so it counts as lost; the next thread keeps what comes from now on. */
  #ended(): void {
    if (this.#disposed) return;
    const held = [...this.#leases.values()];
    this.#leases.clear();
    for (const { controller } of held) controller.abort(new LeaseLostError("the thread that renews the lease ended"));
    this.#restart = setTimeout(() => {
      this.#thread = this.#start();
      if (this.#beat) this.#thread.postMessage(this.#beat);
      for (const { order } of this.#leases.values()) this.#thread.postMessage(order);
    }, restartMs);
  }
}
