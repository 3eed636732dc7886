// `xvault snapshots pin`, `unpin`, `delete` and `undelete`: what is to become of a snapshot.
import { deleteSnapshot, pinSnapshot, undeleteSnapshot, unpinSnapshot } from "../../api/snapshots.ts";
import { momentText } from "../figures.ts";
import { openSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";

export async function pin(terminal: Terminal, snapshotId: string, reason: string): Promise<void> {
  const api = await openSession(terminal);
  await api.mutate(pinSnapshot, { snapshotId, reason }, { signal: terminal.signal });
  terminal.stdout.write(`${snapshotId} is pinned.\n`);
}

export async function unpin(terminal: Terminal, snapshotId: string): Promise<void> {
  const api = await openSession(terminal);
  await api.mutate(unpinSnapshot, { snapshotId }, { signal: terminal.signal });
  terminal.stdout.write(`${snapshotId} is not pinned any more.\n`);
}

export async function remove(terminal: Terminal, snapshotId: string): Promise<void> {
  const api = await openSession(terminal);
  const { job } = await api.mutate(deleteSnapshot, { snapshotId }, { signal: terminal.signal });
  const until = momentText(job.dueAt);
  terminal.stdout.write(`${snapshotId} goes ${until}; until then "xvault snapshots undelete" keeps it.\n`);
}

export async function undelete(terminal: Terminal, snapshotId: string): Promise<void> {
  const api = await openSession(terminal);
  await api.mutate(undeleteSnapshot, { snapshotId }, { signal: terminal.signal });
  terminal.stdout.write(`${snapshotId} is kept.\n`);
}
