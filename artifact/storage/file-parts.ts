// Reads a stored file from its beginning to its end.
import type { RangeReader } from "./storage.ts";

const partBytes = 1_048_576;

/** The next part is being read while one is worked on. A part is its reader's until the next is asked for. */
export async function* partsOf(file: RangeReader, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const memory = Math.min(partBytes, file.size);
  let [idle, busy] = [new Uint8Array(memory), new Uint8Array(memory)];
  const read = (at: number) => {
    const part = at < file.size ? file.read(at, Math.min(partBytes, file.size - at), signal, idle) : null;
    part?.catch(() => {});
    [idle, busy] = [busy, idle];
    return part;
  };
  let next = read(0);
  for (let at = 0; next; ) {
    const part: Uint8Array = await next;
    at += part.length;
    next = read(at);
    yield part;
  }
}
