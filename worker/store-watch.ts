// Looks at the store before every claim, and says which jobs it allows.
import type { Logger } from "pino";
import { servedJobTypes } from "./perform.ts";
import { type Room, roomOf } from "./room.ts";
import { isStoreHere } from "./store.ts";

type JobType = (typeof servedJobTypes)[number];
type State = "ready" | "full" | "away";

export interface StoreWatch {
  /** The store's directory. */
  readonly base: string;
  readonly workerId: string;
  /** With less than this free no backup is begun. */
  readonly reserveBytes: number;
  readonly tellRoom: (room: Room) => void;
  readonly log: Logger;
}

/**
 * A full disk takes no backups, and deletions still make room on it. Where the disk is away nothing is done that is about the store:
 * a deletion would find nothing to remove and call that done.
 */
export function watchStore({ base, workerId, reserveBytes, tellRoom, log }: StoreWatch): () => Promise<JobType[]> {
  let known: State = "ready";
  return async () => {
    const state = (await isStoreHere(base, workerId)) ? await fullness() : "away";
    if (state !== known) tell(state);
    known = state;
    return servedJobTypes.filter((type) => isAllowed(type, state));
  };

  async function fullness(): Promise<State> {
    const room = await roomOf(base);
    tellRoom(room);
    return room.freeBytes < reserveBytes ? "full" : "ready";
  }

  function tell(state: State): void {
    if (state === "ready") log.info({ base }, "the store is ready for backups again");
    else if (state === "full") log.warn({ base, reserveBytes }, "the store is full: no backup is begun");
    else log.error({ base }, "the directory is not the store of this worker: is its disk mounted?");
  }
}

function isAllowed(type: JobType, state: State): boolean {
  switch (state) {
    case "ready":
      return true;
    case "full":
      return type !== "BACKUP";
    case "away":
      return type === "TEST_SOURCE";
  }
}
