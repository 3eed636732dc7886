// People with a part in a tenant, and what is sent to the hub byte for byte.
import { randomUUID } from "node:crypto";
import { createUser } from "../../domain/users.ts";
import type { Role } from "../../prisma/client/client.ts";
import { type Ask, client, signIn } from "../stage/client.ts";
import type { StagedHub } from "../stage/hub.ts";

export interface Person {
  readonly userId: string;
  readonly email: string;
  readonly password: string;
  readonly token: string;
  readonly ask: Ask;
}

/** A person who is signed in; with a tenant and a role, one who has a part there. */
export async function stagePerson(hub: StagedHub, part?: { tenantId: string; role: Role }): Promise<Person> {
  const account = { email: `${randomUUID()}@example.com`, password: randomUUID() };
  const { id: userId } = await createUser(hub.running.hub, { ...account, name: "Staged", platformAdmin: false });
  if (part) await hub.running.hub.db.membership.create({ data: { ...part, userId } });
  const token = await signIn(hub.graphqlUrl, account);
  return { ...account, userId, token, ask: client(hub.graphqlUrl, token) };
}

/** What a session consists of, for whoever keeps it. */
export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** A session of its own for somebody who has an account. */
export async function openSession(hub: StagedHub, { email, password }: { email: string; password: string }) {
  const { data } = await client(hub.graphqlUrl)(
    `mutation ($input: SignInInput!) { signIn(input: $input) {
      ... on SignInPayload { accessToken refreshToken } ... on Failure { code message }
    } }`,
    { input: { email, password } },
  );
  return data.signIn as Tokens & { readonly code?: string };
}

export interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Sends what it is told, and hands back exactly what came. */
export async function send(url: string, init: RequestInit): Promise<Sent> {
  const response = await fetch(url, { ...init, redirect: "error", signal: AbortSignal.timeout(30_000) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** An operation as any program sends it, answered in bytes. */
export function sendOperation(
  url: string,
  { token, ...operation }: { query: string; variables?: object; token?: string | undefined },
): Promise<Sent> {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  return send(url, { method: "POST", headers, body: JSON.stringify(operation) });
}
