// The thread behind keep-alive.ts: beats at the hub and renews leases, whatever the rest of the process is busy with.
import { parentPort, workerData } from "node:worker_threads";
import { Heartbeat } from "./heartbeat.ts";
import { Hurry, keepRenewed, nowMs } from "./lease-renewal.ts";
import type { HubAccess, Order, Report } from "./messages.ts";

const { heardAtMs, ...access } = workerData as HubAccess & { heardAtMs: BigInt64Array<SharedArrayBuffer> };
const leases = new Map<number, { readonly dropping: AbortController; readonly hurry: Hurry }>();
let heartbeat: Heartbeat | null = null;

const report = (message: Report) => parentPort?.postMessage(message);

parentPort?.on("message", (order: Order) => {
  if ("beat" in order) beat(order.beat);
  else if ("keep" in order) keep(order.keep);
  else if ("renew" in order) leases.get(order.renew)?.hurry.now();
  else leases.get(order.drop)?.dropping.abort();
});

function beat({ everySeconds, state }: Extract<Order, { beat: unknown }>["beat"]): void {
  if (heartbeat) heartbeat.tell(state);
  else {
    heartbeat = new Heartbeat(access, state, {
      report: (news) => report({ heartbeat: news }),
      onHeard: ({ draining }) => {
        Atomics.store(heardAtMs, 0, BigInt(nowMs()));
        if (draining) report({ drained: true });
      },
      onInventoryDue: () => report({ inventoryDue: true }),
    });
    void heartbeat.run(everySeconds);
  }
}

function keep({ lease, terms, heldSinceMs }: Extract<Order, { keep: unknown }>["keep"]): void {
  const dropping = new AbortController();
  const hurry = new Hurry();
  leases.set(lease, { dropping, hurry });
  const tell = (news: "canceled" | "lost") => report({ lease, news });
  void keepRenewed({ ...terms, access, heldSinceMs, report: tell, hurry, dropped: dropping.signal }).finally(() =>
    leases.delete(lease),
  );
}
