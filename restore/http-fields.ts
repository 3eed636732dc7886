// Reads and writes the header fields of HTTP that downloads live by: ranges, file names, and who only wants a preview.
import type { IncomingHttpHeaders } from "node:http";
import type { ByteRange } from "./delivery.ts";

/**
 * The range that a GET asks for (RFC 9110, section 14). Null: all of it, which is also the answer to several ranges, to a range that
 * makes no sense and to one of another version of the file. "unsatisfiable": it begins past the end.
 */
export function requestedRange(
  headers: IncomingHttpHeaders,
  { size, etag }: { size: number; etag: string },
): ByteRange | null | "unsatisfiable" {
  if (headers["if-range"] !== undefined && headers["if-range"] !== etag) return null;
  const match = /^bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))$/i.exec(headers.range?.trim() ?? "");
  if (!match) return null;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last && Number(last) < start) return null;
  return start >= size ? "unsatisfiable" : { start, end: last ? Math.min(Number(last) + 1, size) : size };
}

/** `Content-Disposition` with the name twice, as RFC 6266 has it: in ASCII for old clients, and exactly. */
export function attachment(fileName: string): string {
  const ascii = fileName.replace(/[^\x20-\x7e]|["\\%/]/g, "_");
  const exact = encodeURIComponent(fileName).replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${exact}`;
}

/** Chat programs and browsers fetch links that nobody clicked; most of them say so. */
export function isPreview(headers: IncomingHttpHeaders): boolean {
  const purpose = `${headers["sec-purpose"]} ${headers.purpose} ${headers["x-purpose"]} ${headers["x-moz"]}`;
  if (/prefetch|preview|prerender/i.test(purpose)) return true;
  return /bot\b|facebookexternalhit|slack|whatsapp|telegram|skypeuripreview|linkexpand/i.test(
    headers["user-agent"] ?? "",
  );
}
