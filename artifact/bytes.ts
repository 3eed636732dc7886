// What a Uint8Array lacks: comparing, looking for zeros, taking text in, and being given back.

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && isPrefix(one, other);
}

/** Whether `whole`, which is as long at least, begins with `prefix`. */
export function isPrefix(prefix: Uint8Array, whole: Uint8Array): boolean {
  for (let at = 0; at < prefix.length; at++) if (prefix[at] !== whole[at]) return false;
  return true;
}

export function isZeros(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** One byte for each character. */
export function writeAscii(target: Uint8Array, start: number, text: string): void {
  for (let at = 0; at < text.length; at++) target[start + at] = text.charCodeAt(at);
}

/** Larger than any memory that small buffers share. */
const ownBytes = 65_536;

/** Returns the memory of bytes that nobody will look at again at once: left to the garbage collector it would pile up in between. */
export function giveBack({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > ownBytes) buffer.transfer(0);
}
