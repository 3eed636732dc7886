// Opens an artifact as somebody would who has never heard of xVault: with age, zstd and tar from Debian.
import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { StagedHub } from "./hub.ts";

const run = promisify(execFile);

/** Unpacks `backup.tar.zst.enc` of the snapshot directory into `target`. */
export async function openWithStockTools(directory: string, identity: string, target: string): Promise<void> {
  const keyDirectory = await mkdtemp(join(target, "..", "key-"));
  const keyFile = join(keyDirectory, "key.txt");
  await writeFile(keyFile, `${identity}\n`, { mode: 0o600 });
  // The words of the README, with its paths as arguments.
  const script = 'set -o pipefail; age -d -i "$1" "$2/backup.tar.zst.enc" | zstd -d | tar -x -C "$3"';
  await run("bash", ["-c", script, "bash", keyFile, directory, target]);
}

/** The tenant's private key, which no API answers: taken out of the vault of the hub in this process. */
export async function tenantIdentity({ running: { hub } }: StagedHub, tenantId: string): Promise<string> {
  const key = await hub.db.tenantKey.findFirstOrThrow({ where: { tenantId } });
  if (!key.sealedPrivateKey) throw new Error("the customer holds this key");
  return hub.vault.open({ tenantId, rowId: key.id, kind: "tenant-key" }, key.sealedPrivateKey);
}
