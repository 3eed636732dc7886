// Everybody there is, and one tenant that each of them asks about: its people, a neighbour, its key, a worker, an operator, and nobody.
import { randomBytes } from "node:crypto";
import { hashToken } from "../../domain/secrets.ts";
import { playWorker } from "../private/played-worker.ts";
import { type Ids, inputs, stageEverything } from "../public/everything-of.ts";
import { type Person, sendOperation, stagePerson } from "../public/people.ts";
import { signIn } from "../stage/client.ts";
import { stageHub } from "../stage/hub.ts";
import { stageTenant } from "../stage/tenant.ts";
import type { Principal } from "./expected.ts";
import type { Operation } from "./operations.ts";
import { copyWorld } from "./worlds.ts";

export interface Stage extends AsyncDisposable {
  /**
   * What the principal is answered, in a word: `yes`; `none` for what is not there for them; `403`, `401`; or the code of another
   * refusal, which only those meet whom the gates let through.
   */
  ask(operation: Operation, principal: Principal): Promise<string>;
}

interface Subject {
  readonly ids: Ids;
  readonly apiKey: string;
}

/** They end the session of whoever is answered. */
const endsSessions = ["signOutEverywhere", "changePassword"];

export async function stageMatrix(): Promise<Stage> {
  await using started = new AsyncDisposableStack();
  const hub = started.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
  const { platform } = hub.running.hub;
  const worker = await playWorker(hub);
  const tenant = await stageTenant(hub, "Acme");
  const next = await stageTenant(hub, "Next door");
  const part = (role: "VIEWER" | "MEMBER" | "ADMIN" | "OWNER", { tenantId } = tenant) =>
    stagePerson(hub, { tenantId, role });
  const people: Record<string, Person> = {
    viewer: await part("VIEWER"),
    member: await part("MEMBER"),
    admin: await part("ADMIN"),
    owner: await part("OWNER"),
    neighbour: await part("OWNER", next),
    operator: await stagePerson(hub),
  };
  await platform.user.update({ where: { id: people.operator?.userId ?? "" }, data: { platformAdmin: true } });
  const tokens = new Map(Object.entries(people).map(([name, { token }]) => [name, token]));
  const original = await stageEverything(hub, { tenant, owner: people.owner as Person, worker });
  // Nothing of it is at work: every verb finds what it is for.
  await platform.restore.updateMany({ where: { tenantId: tenant.tenantId }, data: { status: "READY" } });

  let copies = 0;
  async function copy(): Promise<Subject> {
    const world = await copyWorld(platform, original.tenant, ++copies);
    const ids = Object.fromEntries(
      Object.entries(original).map(([noun, id]) => [noun, world.id(id)]),
    ) as unknown as Record<string, string>;
    const { id: _, tokenHash: __, ...row } = await platform.worker.findUniqueOrThrow({ where: { id: worker.id } });
    ids.worker = `wrk_${randomBytes(16).toString("hex")}`;
    await platform.worker.create({
      data: { ...row, id: ids.worker, capabilities: row.capabilities ?? {}, inventory: {}, tokenHash: ids.worker },
    });
    const prefix = `xva_${randomBytes(6).toString("hex")}`;
    const apiKey = `${prefix}_${randomBytes(32).toString("base64url")}`;
    await platform.apiKey.create({
      data: {
        id: `apk_${randomBytes(16).toString("hex")}`,
        tenantId: ids.tenant ?? "",
        name: "Asks",
        prefix,
        tokenHash: hashToken(apiKey),
        role: "ADMIN",
      },
    });
    return { ids: ids as unknown as Ids, apiKey };
  }
  let subject = await copy();

  async function ask(operation: Operation, principal: Principal): Promise<string> {
    const token = tokenOf(principal, subject);
    const answer = await (operation.kind === "subscription" ? askLive : askOnce)(operation, subject.ids, token);
    if (operation.kind === "mutation" && answer === "yes") {
      subject = await copy();
      if (endsSessions.includes(operation.name))
        for (const [name, person] of Object.entries(people)) tokens.set(name, await signIn(hub.graphqlUrl, person));
    }
    return answer;
  }

  function tokenOf(principal: Principal, { apiKey }: Subject): string | undefined {
    if (principal === "anonymous") return undefined;
    if (principal === "apiKey") return apiKey;
    return principal === "worker" ? worker.token : tokens.get(principal);
  }

  async function askOnce(operation: Operation, ids: Ids, token: string | undefined): Promise<string> {
    const variables = variablesOf(operation, ids);
    const { text } = await sendOperation(hub.graphqlUrl, { query: operation.document, variables, token });
    return wordFor(JSON.parse(text), operation.path);
  }

  /** The first thing that comes, or `open` where the stream waits for something to happen. */
  async function askLive(operation: Operation, ids: Ids, token: string | undefined): Promise<string> {
    const over = new AbortController();
    const response = await fetch(hub.graphqlUrl, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "text/event-stream",
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query: operation.document, variables: variablesOf(operation, ids) }),
      signal: AbortSignal.any([over.signal, AbortSignal.timeout(30_000)]),
    });
    const patience = setTimeout(() => over.abort(), 1_500);
    let text = "";
    try {
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += chunk;
        const data =
          /(?:^|\n)(?:event: next\n)?data: (\{.*\})\n/.exec(text)?.[1] ?? (text.startsWith("{") ? text : null);
        if (data) return wordFor(JSON.parse(data), operation.path);
      }
      return "ended";
    } catch (error) {
      if (over.signal.aborted) return "open";
      throw error;
    } finally {
      clearTimeout(patience);
      over.abort();
    }
  }

  const stack = started.move();
  return { ask, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface Reply {
  readonly data?: unknown;
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

function wordFor({ data, errors }: Reply, path: readonly string[]): string {
  const code = errors?.[0]?.extensions?.code;
  if (code === "UNAUTHENTICATED") return "401";
  if (code === "FORBIDDEN") return "403";
  if (code === "NOT_FOUND") return "none";
  if (code) return code;
  let value = data as unknown;
  for (const step of path) value = (value as Record<string, unknown> | null | undefined)?.[step];
  if (value === null || value === undefined) return "none";
  if (Array.isArray(value)) return value.some((each) => each !== null) ? "yes" : "none";
  const { code: refusal, totalCount } = value as { code?: string; totalCount?: number };
  if (refusal === "NOT_FOUND" || totalCount === 0) return "none";
  return refusal ?? "yes";
}

/** By the names of the arguments: `sourceId` is the source's, and `id` that of what is asked for. */
function variablesOf({ kind, name, field, arguments: names }: Operation, ids: Ids): Record<string, unknown> {
  if (kind === "mutation") return { input: inputs(ids)[name] ?? {} };
  const known = ids as unknown as Record<string, string>;
  const noun = (of: string) => `${of.charAt(0).toLowerCase()}${of.slice(1)}`;
  const variables: Record<string, unknown> = {
    node: known[noun(field.split(".")[0] ?? "")],
    ids: [ids.source],
    input: { intervalMinutes: 60 },
  };
  for (const argument of names) {
    if (argument === "id") variables.id = known[name] ?? ids.source;
    else if (argument.endsWith("Id")) variables[argument] = known[argument.slice(0, -2)];
  }
  return variables;
}
