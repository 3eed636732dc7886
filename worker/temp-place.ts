// The worker's own place in the temporary directory: nobody else's, and rid of what processes of it that were killed left there.
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import type { Logger } from "pino";
import { isAnswered, livenessOf, workerPlace } from "../clients/hub/temp-places.ts";

/** Disposal removes it with all that is in it. */
export interface TempPlace extends AsyncDisposable {
  /** Mode 0700. */
  readonly directory: string;
}

export interface TempPlaceOptions {
  /** `WORKER_TEMP_BASE`; other workers and the restore service may have it, too. */
  readonly base: string;
  readonly workerId: string;
  readonly log: Logger;
}

/**
 * Makes a place for this process. Beside it lies a socket that nothing is said through: as long as it is listened to, the process
 * lives, whatever namespaces it lives in. A place whose socket nobody listens to is removed; two processes of one worker, as there
 * are for a moment when a fleet is renewed, leave each other alone.
 */
export async function openTempPlace({ base, workerId, log }: TempPlaceOptions): Promise<TempPlace> {
  const place = join(base, workerPlace(workerId));
  await mkdir(place, { recursive: true, mode: 0o700 });
  await sweep(place, log);
  // Listened to first: a place without a listener is anybody's to remove.
  const directory = join(place, randomBytes(4).toString("hex"));
  const server = await listening(livenessOf(directory)).catch((error: unknown) => {
    log.warn({ err: error, place }, "another process of this worker would take its temporary files for leftovers");
    return null;
  });
  await mkdir(directory, { mode: 0o700 });
  return {
    directory,
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true, force: true });
      // Takes its socket with it.
      server?.close();
    },
  };
}

async function sweep(place: string, log: Logger): Promise<void> {
  for (const name of await readdir(place)) {
    const path = join(place, name);
    const socket = name.endsWith(".alive") ? path : livenessOf(path);
    if (await isAnswered(socket)) continue;
    await rm(path, { recursive: true, force: true });
    if (path !== socket) log.info({ path }, "removed what a killed process left in the temporary directory");
  }
}

function listening(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen(path, () => resolve(server.unref()));
  });
}
