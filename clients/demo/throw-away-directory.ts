// A directory for everything that the demo writes, which is gone afterwards unless it is asked for.
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ThrowAwayDirectory extends AsyncDisposable {
  readonly path: string;
  /** Disposing leaves it then. */
  keep(): void;
}

export async function throwAwayDirectory(): Promise<ThrowAwayDirectory> {
  const path = await mkdtemp(join(tmpdir(), "xvault-demo-"));
  // As root, the databases run as a user of their own, who has to pass through to the home; nobody can list what is here.
  await chmod(path, 0o711);
  let kept = false;
  return {
    path,
    keep() {
      kept = true;
    },
    async [Symbol.asyncDispose]() {
      if (!kept) await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
