// What a test writes into a storage, and sees in it.
import type { Draft, Storage } from "#artifact/node";

/** The storage's directories, in its own order. */
export async function namesOf(storage: Storage): Promise<string[]> {
  const names: string[] = [];
  for await (const name of storage.list()) names.push(name);
  return names;
}

/** One file of one part, finished. */
export async function write(draft: Draft, name: string, content: string): Promise<void> {
  const upload = await draft.create(name);
  await upload.send(Buffer.from(content));
  await upload.finish();
}

export async function readAll(storage: Storage, directory: string, name: string): Promise<string> {
  const file = await storage.open(directory, name);
  const content = text(await file.read(0, file.size));
  await file.close();
  return content;
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
