// Decides whether the certificate that an FTP server shows is the one of the host that the customer named.
import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { type ConnectionOptions, createSecureContext, type TLSSocket } from "node:tls";
import * as z from "zod";
import { authorityUnfit, otherCertificate, untrustedCertificate } from "./failure.ts";

const hexDigest = /^(?:SHA256:)?((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})$/i;
const oneCertificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const base64Digest = /^SHA256:([A-Za-z0-9+/]{43})=?$/;

/** `openssl x509 -fingerprint -sha256` writes hexadecimal, xVault itself base64. */
const fingerprint = z.string().transform((text, context) => {
  const hex = hexDigest.exec(text)?.[1]?.replaceAll(":", "");
  const base64 = base64Digest.exec(text)?.[1];
  if (hex !== undefined) return shown(Buffer.from(hex, "hex"));
  if (base64 !== undefined) return shown(Buffer.from(base64, "base64"));
  context.addIssue("no SHA-256 fingerprint");
  return z.NEVER;
});

/** Whom to believe in place of the public authorities. A fingerprint is of the server's own certificate, and all that counts then. */
export const certificateSettings = z.object({
  authority: z.string().max(65_536).optional(),
  fingerprint: fingerprint.optional(),
});

type CertificateSettings = z.infer<typeof certificateSettings>;

const reasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "has expired",
  CERT_NOT_YET_VALID: "is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "is for another host name",
};

export class CertificateTrust {
  /** For `tls.connect`, without its socket. The outcome is judged by `check`, which can tell what was shown. */
  readonly options: ConnectionOptions;
  readonly #host: string;
  readonly #pinned: string | undefined;

  /** Throws SOURCE_AUTH_FAILED for an authority that is no certificate. */
  constructor(host: string, { authority, fingerprint: pinned }: CertificateSettings = {}) {
    this.#host = host;
    this.#pinned = pinned;
    this.options = {
      host,
      ...(isIP(host) === 0 && { servername: host }),
      rejectUnauthorized: false,
      ...(authority !== undefined && { secureContext: contextOf(authority) }),
    };
  }

  /** The fingerprint of what the server showed. Throws `SourceError`; nothing may have been sent before. */
  check(socket: TLSSocket): string {
    const certificate = socket.getPeerX509Certificate();
    const seen = certificate ? shown(createHash("sha256").update(certificate.raw).digest()) : "none";
    if (this.#pinned !== undefined) {
      if (seen !== this.#pinned) throw otherCertificate(this.#host, seen);
    } else if (!socket.authorized) {
      // Node's types call it an error; it is the code of one, or the error of the name check.
      const fault: unknown = socket.authorizationError;
      const code = fault instanceof Error ? (fault as { code?: string }).code : String(fault);
      throw untrustedCertificate(this.#host, reasons[code ?? ""] ?? "is not signed by an authority known here", seen);
    }
    return seen;
  }
}

function contextOf(authority: string) {
  try {
    // OpenSSL would take what it cannot read for an empty list.
    const ca = authority.match(oneCertificate) ?? [authority];
    for (const each of ca) new X509Certificate(each);
    return createSecureContext({ ca });
  } catch (error) {
    throw authorityUnfit(error);
  }
}

function shown(digest: Buffer): string {
  return `SHA256:${digest.toString("base64").replace(/=+$/, "")}`;
}
