// Who a request comes from: access tokens of people, made and checked here and nowhere else, and the keys of programs.
import { createHmac } from "node:crypto";
import { errors, type JWTHeaderParameters, jwtVerify, SignJWT } from "jose";
import * as z from "zod";
import type { ApiKeyActor, UserActor } from "../domain/actor.ts";
import { findApiKeyActor, proveApiKey } from "../domain/api-keys.ts";
import type { Hub } from "../domain/hub.ts";
import { findActor } from "../domain/sessions.ts";
import type { Sessions } from "../schema/public/context.ts";
import { rememberVerified } from "./verified-tokens.ts";

/** Somebody who has proven who they are, and until when. */
export interface Identity {
  readonly actor: UserActor | ApiKeyActor;
  /** Milliseconds since the epoch; infinite for a key without an end. */
  readonly expiresAtMs: number;
  /** The same with the roles they have by now; null where their session, their key or their account has ended. */
  again(): Promise<UserActor | ApiKeyActor | null>;
}

export interface Authentication extends Sessions {
  /** Null for a token that is missing, malformed, expired, signed by somebody else, or of a session or key that was ended. */
  identify(authorization: string | null | undefined): Promise<Identity | null>;
}

export interface AuthenticationOptions {
  /** Signs. */
  readonly jwtSecret: string;
  /** Signed before: what they signed is still taken. */
  readonly jwtPreviousSecrets: readonly string[];
  readonly accessTokenMinutes: number;
}

const issuer = "xvault";
const audience = "xvault-api";
const algorithm = "HS256";
/** Access tokens are told from any other by this (RFC 9068). */
const type = "at+jwt";
/** How far the clocks of two hubs may be apart. */
const leewaySeconds = 5;

/** All that a token of ours says; one that says more is none of ours. */
const claimsShape = z.strictObject({
  sub: z.string(),
  /** The generation of the user's tokens. */
  gen: z.number().int(),
  /** The session. */
  sid: z.string(),
  iss: z.literal(issuer),
  aud: z.literal(audience),
  iat: z.number(),
  exp: z.number(),
});

export function createAuthentication(
  hub: Hub,
  { jwtSecret, jwtPreviousSecrets, accessTokenMinutes }: AuthenticationOptions,
): Authentication {
  const keys = new Map([...jwtPreviousSecrets, jwtSecret].map((secret) => [keyId(secret), keyOf(secret)]));
  const signing = { kid: keyId(jwtSecret), key: keyOf(jwtSecret) };
  const knownKey = ({ kid }: JWTHeaderParameters): Uint8Array => {
    const key = keys.get(kid ?? "");
    if (!key) throw new errors.JWKSNoMatchingKey();
    return key;
  };

  async function readClaims(token: string): Promise<z.infer<typeof claimsShape> | null> {
    try {
      const { payload } = await jwtVerify(token, knownKey, {
        ...{ algorithms: [algorithm], issuer, audience, typ: type, clockTolerance: leewaySeconds },
        maxTokenAge: accessTokenMinutes * 60,
      });
      return claimsShape.safeParse(payload).data ?? null;
    } catch (error) {
      if (error instanceof errors.JOSEError) return null;
      throw error;
    }
  }

  const genuineClaims = rememberVerified(readClaims);

  async function identifyPerson(token: string): Promise<Identity | null> {
    const claims = await genuineClaims(token);
    if (!claims) return null;
    const again = () => findActor(hub, { userId: claims.sub, tokenGeneration: claims.gen, familyId: claims.sid });
    const actor = await again();
    return actor && { actor, expiresAtMs: claims.exp * 1000, again };
  }

  async function identifyKey(token: string): Promise<Identity | null> {
    const proven = await proveApiKey(hub, token);
    if (!proven) return null;
    const { actor, expiresAt } = proven;
    return {
      actor,
      expiresAtMs: expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
      again: () => findApiKeyActor(hub, actor.apiKeyId),
    };
  }

  return {
    async issue({ user, familyId, refreshTokenExpiresAt }) {
      const issuedAt = Math.floor(Date.now() / 1000);
      const exp = Math.min(issuedAt + accessTokenMinutes * 60, Math.floor(refreshTokenExpiresAt.getTime() / 1000));
      const accessToken = await new SignJWT({ gen: user.tokenGeneration, sid: familyId })
        .setProtectedHeader({ alg: algorithm, typ: type, kid: signing.kid })
        .setSubject(user.id)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(issuedAt)
        .setExpirationTime(exp)
        .sign(signing.key);
      return { accessToken, expiresAt: new Date(exp * 1000) };
    },
    async identify(authorization) {
      const token = /^Bearer ([A-Za-z0-9._-]{20,4096})$/.exec(authorization ?? "")?.[1];
      if (!token) return null;
      return token.startsWith("xva_") ? identifyKey(token) : identifyPerson(token);
    },
  };
}

function keyOf(secret: string): Uint8Array {
  return new TextEncoder().encode(secret);
}

/** Names a secret without telling anything of it. */
function keyId(secret: string): string {
  return createHmac("sha256", secret).update("kid").digest("base64url").slice(0, 16);
}
