// What every request to the public surface passes before anything of it is read: headers for all answers, and refusals of what no
// client of ours sends.
import type { IncomingMessage, ServerResponse } from "node:http";

export interface RequestGateOptions {
  /** Where the surface is reached from outside, such as `https://vault.example.com`; null where that is not known. */
  readonly publicUrl: string | null;
  /** Web origins, besides our own, that may call. */
  readonly corsOrigins: readonly string[];
}

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly allow?: string;
}

/** Names under which tokens are put into addresses, where logs, histories and referrers would keep them. */
const tokenNames = /^(access_?token|auth|authorization|bearer|api_?key|token|jwt|password|refresh_?token)$/i;
/** A JWT, and the tokens that we make ourselves. */
const tokenShape = /\beyJ[\w-]{8,}\.[\w-]{8,}\.|\bxv[a-z]{1,3}_[\w-]{20,}|^bearer\s/i;

/** Sets what stands on every answer, whoever writes it. */
export function secureHeaders(response: ServerResponse, { publicUrl }: RequestGateOptions): void {
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("x-frame-options", "DENY");
  response.setHeader("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
  response.setHeader("referrer-policy", "no-referrer");
  response.setHeader("cross-origin-opener-policy", "same-origin");
  response.setHeader("cache-control", "no-store");
  // Over plain HTTP it means nothing, and on a name that is not ours alone it would lock others in.
  if (publicUrl?.startsWith("https:")) response.setHeader("strict-transport-security", "max-age=31536000");
}

const noAddress: Refusal = { status: 400, code: "BAD_REQUEST", message: "This is no address of anything here." };
const tokenInAddress: Refusal = {
  status: 400,
  code: "BAD_REQUEST",
  message: "Send the token in the Authorization header, never in the address, and make yourself a new one.",
};

/**
 * An address that is none is refused, whatever its host claims to be; and one with a token in it, at every path: it has been
 * written down by somebody by now.
 */
export function refuseAddress({ url = "/", headers: { host } }: IncomingMessage): Refusal | null {
  if (!host || !URL.canParse(url, `http://${host}`)) return noAddress;
  const query = url.split("?", 2)[1];
  if (query === undefined) return null;
  for (const [name, value] of new URLSearchParams(query))
    if (tokenNames.test(name) || tokenShape.test(value)) return tokenInAddress;
  return null;
}

/** Whether a page of this origin may call: our own and those on the list. A caller that is no web page names none. */
export function isOriginAllowed({ headers }: IncomingMessage, { corsOrigins, publicUrl }: RequestGateOptions): boolean {
  const { origin } = headers;
  if (origin === undefined || corsOrigins.includes(origin)) return true;
  if (!URL.canParse(origin)) return false;
  return new URL(origin).host === headers.host || (publicUrl !== null && new URL(publicUrl).origin === origin);
}

/** Null for a request that may be read as an operation. */
export function refuseOperation(request: IncomingMessage, options: RequestGateOptions): Refusal | null {
  const { method, headers } = request;
  // A preflight asks what is allowed; its answer says so without our help.
  if (method === "OPTIONS") return null;
  if (method !== "GET" && method !== "POST")
    return { status: 405, code: "BAD_REQUEST", message: "Send GET or POST.", allow: "GET, POST" };
  if (!isOriginAllowed(request, options))
    return { status: 403, code: "FORBIDDEN", message: "Pages of this origin may not call." };
  if (headers["content-encoding"] !== undefined && headers["content-encoding"] !== "identity")
    return { status: 415, code: "BAD_REQUEST", message: "Send the body as it is, without compression." };
  if (method === "GET" && !isReadable(request.url ?? ""))
    return { status: 400, code: "BAD_REQUEST", message: "The variables or extensions in the address are no JSON." };
  // Of all types that a form can send without asking first, none is taken.
  if (method === "POST" && !/^application\/json\s*(;\s*charset="?utf-?8"?\s*)?$/i.test(headers["content-type"] ?? ""))
    return { status: 415, code: "BAD_REQUEST", message: "Send the body as application/json in UTF-8." };
  return null;
}

function isReadable(url: string): boolean {
  const search = new URLSearchParams(url.split("?", 2)[1]);
  return ["variables", "extensions"].every((name) => {
    const text = search.get(name);
    if (!text) return true;
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  });
}

/** Answers as GraphQL does, so that every client can read it. The rest of the request is not read: the connection ends. */
export function sendRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code, message, allow }: Refusal,
): void {
  const unread = request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    ...(allow !== undefined && { allow }),
    ...(unread && { connection: "close" }),
  });
  response.end(`${JSON.stringify({ errors: [{ message, extensions: { code } }] })}\n`);
}
