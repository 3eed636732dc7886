// A server in a process of its own, which says where it listens.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Somebody who asks, and of what is theirs. */
export interface Member {
  readonly userId: string;
  readonly tenantId: string;
  /** One of their snapshots. */
  readonly snapshotId: string;
}

/** Disposing ends the process. */
export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** What it said when it was ready. */
  readonly said: Readonly<Record<string, unknown>>;
}

/** Waits until the process sends `{ port, … }`; throws where it ends before that. */
export async function served(child: ChildProcess): Promise<Served> {
  const ended = once(child, "exit").then(([code]) => ({ failure: `ended with ${code}` }));
  const [said] = (await Promise.race([once(child, "message"), ended.then((end) => [end])])) as [
    Record<string, unknown>,
  ];
  if (typeof said.port !== "number") throw new Error(`a server did not start: ${JSON.stringify(said)}`);
  return {
    url: `http://127.0.0.1:${said.port}/graphql`,
    pid: child.pid ?? 0,
    said,
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
