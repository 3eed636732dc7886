// Says whether this service can work, and what keeps it from working well.
import type { Admission } from "./admission.ts";
import type { Stores } from "./stores.ts";

export interface Readiness {
  /** Links that were prepared are served all the same while it is degraded; before the hub knows this service it has no work. */
  readonly status: "ready" | "degraded" | "unavailable";
  /** Why it is not ready; nobody's name or address is in any of them. */
  readonly reasons: readonly string[];
}

export function readinessOf({ admission, stores }: { admission: Admission; stores: Stores }): Readiness {
  if (admission.heartbeatSeconds === null)
    return { status: "unavailable", reasons: ["the hub has not admitted this service yet"] };
  const reasons = [
    ...(admission.awaySince ? [`the hub does not answer since ${admission.awaySince.toISOString()}`] : []),
    ...(stores.known === 0 ? ["no store can be read here"] : []),
  ];
  return { status: reasons.length > 0 ? "degraded" : "ready", reasons };
}
