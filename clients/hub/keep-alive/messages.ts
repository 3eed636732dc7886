// What is said between keep-alive.ts and its thread.

export interface HubAccess {
  /** Of the private surface, as in `HUB_BASE_URL`. */
  readonly baseUrl: string;
  readonly token: string;
}

export interface LeaseTerms {
  readonly jobId: string;
  readonly leaseEpoch: number;
  readonly leaseSeconds: number;
  readonly heartbeatSeconds: number;
}

/** What the next heartbeat says. */
export interface HeartbeatState {
  readonly draining: boolean;
  /** Of the store; null: not looked at. */
  readonly freeBytes: number | null;
  readonly totalBytes?: number | null | undefined;
}

/** `lease` names one lease among all that were ever kept here; `heldSinceMs` is on the monotonic clock that threads have in common. */
export type Order =
  | { readonly beat: { readonly everySeconds: number; readonly state: HeartbeatState } }
  | { readonly keep: { readonly lease: number; readonly terms: LeaseTerms; readonly heldSinceMs: number } }
  | { readonly renew: number }
  | { readonly drop: number };

/** What the hub did with the last heartbeat, told where it changes: `heard`, or why not. */
export type HeartbeatNews = string;

/** Each at most once. */
export type LeaseNews = "canceled" | "lost";

export type Report =
  | { readonly heartbeat: HeartbeatNews }
  /** The hub has heard that this process drains. */
  | { readonly drained: true }
  /** The hub asks for an inventory of the store. */
  | { readonly inventoryDue: true }
  | { readonly lease: number; readonly news: LeaseNews };
