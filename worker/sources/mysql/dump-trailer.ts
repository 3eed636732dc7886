// Tells a whole dump of MySQL's programs from one that lacks something at its end, though they say that all went well.
import { type Trailer, textTrailer } from "../dump/verified-dump.ts";

/** A view stands in a dump twice: as a stand-in with its columns, so that others can refer to it, and at the very end as it is. */
const placeholders = ["\n-- Temporary table structure for view `", "\n-- Temporary view structure for view `"];
const views = ["\n/*!50001 SET @saved_cs_client "];

/**
 * Besides the last line: as many views as were begun with. mariadb-dump 10.11, whose connection is lost while it writes them, leaves out
 * those that follow, complains of nothing, writes its last line and ends with 0.
 */
export function dumpTrailer(): Trailer {
  // At the very end: a row may well hold the same words.
  const end = textTrailer(/\n-- Dump completed[^\n]*\s*$/);
  const begun = placeholders.map((text) => new Occurrences(text));
  const kept = views.map((text) => new Occurrences(text));
  const sum = (counts: readonly Occurrences[]) => counts.reduce((total, { count }) => total + count, 0);
  return {
    take(chunk) {
      end.take(chunk);
      for (const each of [...begun, ...kept]) each.take(chunk);
    },
    isComplete: () => end.isComplete() && sum(begun) === sum(kept),
  };
}

/** How often a text occurs in chunks of bytes, wherever they are cut. */
class Occurrences {
  count = 0;
  readonly #text: Buffer;
  /** The end of what was seen: too short to hold the text. */
  #tail = Buffer.alloc(0);

  constructor(text: string) {
    this.#text = Buffer.from(text);
  }

  take(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const most = this.#text.length - 1;
    this.#search(Buffer.concat([this.#tail, bytes.subarray(0, most)]));
    this.#search(bytes);
    // Copied: the chunk's memory is its reader's.
    this.#tail = Buffer.concat([this.#tail, bytes.subarray(-most)]).subarray(-most);
  }

  #search(bytes: Buffer): void {
    for (let at = bytes.indexOf(this.#text); at >= 0; at = bytes.indexOf(this.#text, at + this.#text.length))
      this.count++;
  }
}
