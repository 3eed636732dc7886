// Who a request comes from: access tokens of people, made and checked here and nowhere else.
import { jwtVerify, SignJWT } from "jose";
import type { UserActor } from "../domain/actor.ts";
import type { Hub } from "../domain/hub.ts";
import { findActor } from "../domain/users.ts";
import type { User } from "../prisma/client/client.ts";
import type { Sessions } from "../schema/public/context.ts";

/** A signed-in person, and until when. */
export interface Identity {
  readonly actor: UserActor;
  readonly tokenGeneration: number;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

export interface Authentication extends Sessions {
  /** Null for a token that is missing, malformed, expired, signed by somebody else, or of a session that was ended. */
  identify(authorization: string | null | undefined): Promise<Identity | null>;
}

const issuer = "xvault";
const audience = "xvault-api";
const algorithm = "HS256";

export function createAuthentication(hub: Hub, options: { jwtSecret: string; sessionHours: number }): Authentication {
  const key = new TextEncoder().encode(options.jwtSecret);
  return {
    async issue(user: User) {
      const expiresAt = new Date(Date.now() + options.sessionHours * 3_600_000);
      const accessToken = await new SignJWT({ gen: user.tokenGeneration })
        .setProtectedHeader({ alg: algorithm, typ: "JWT" })
        .setSubject(user.id)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(Math.floor(expiresAt.getTime() / 1000))
        .sign(key);
      return { accessToken, expiresAt };
    },
    async identify(authorization) {
      const token = /^Bearer ([A-Za-z0-9._-]{20,4096})$/.exec(authorization ?? "")?.[1];
      if (!token) return null;
      const claims = await jwtVerify(token, key, {
        algorithms: [algorithm],
        issuer,
        audience,
        requiredClaims: ["sub", "exp", "iat", "gen"],
        clockTolerance: 30,
      }).then(
        ({ payload }) => payload,
        () => null,
      );
      if (!claims?.sub || typeof claims.gen !== "number" || !claims.exp) return null;
      const actor = await findActor(hub, claims.sub, claims.gen);
      return actor && { actor, tokenGeneration: claims.gen, expiresAtMs: claims.exp * 1000 };
    },
  };
}
