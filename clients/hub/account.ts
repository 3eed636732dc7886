// How a process of the data plane comes to its id and token: told so, kept from an earlier start, or taken from the hub for an
// enrolment token, once.
import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import { readSecret } from "./environment.ts";
import { HubError } from "./hub-error.ts";

const accountSchema = z.object({
  workerId: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  token: z.string().min(32),
});

const environment = z.object({
  HUB_BASE_URL: z.string().optional(),
  /** Where the account is kept. */
  WORKER_ACCOUNT_PATH: z.string().optional(),
  WORKER_ENROLMENT_TOKEN: z
    .string()
    .regex(/^xve_[\w-]{43}$/, "WORKER_ENROLMENT_TOKEN: not a token as enrolWorker shows it once.")
    .optional(),
});

type Account = z.infer<typeof accountSchema>;

const callTimeoutMs = 10_000;
const pauseMs = 2_000;

export interface AccountTerms {
  /** Where the account is kept unless WORKER_ACCOUNT_PATH names another place. Its directory is made where there is none. */
  readonly file: string;
  /** Gives up waiting for the hub. */
  readonly signal?: AbortSignal;
}

/**
 * The environment with WORKER_ID and WORKER_TOKEN in it, as far as they can be had: a WORKER_TOKEN that is given counts before one that is
 * kept, and that before the WORKER_ENROLMENT_TOKEN, which is worth nothing after its first use. Throws where the hub refuses it.
 */
export async function withAccount(env: NodeJS.ProcessEnv, terms: AccountTerms): Promise<NodeJS.ProcessEnv> {
  if (env.WORKER_TOKEN || env.WORKER_TOKEN_FILE) return env;
  const file = env.WORKER_ACCOUNT_PATH || terms.file;
  const kept = await readAccount(file);
  if (kept) return signedOn(env, kept);
  const parsed = environment.safeParse({
    ...env,
    WORKER_ENROLMENT_TOKEN: readSecret(env, "WORKER_ENROLMENT_TOKEN") || undefined,
  });
  if (!parsed.success) throw new Error(parsed.error.issues.map(({ message }) => message).join("\n"));
  const { HUB_BASE_URL: baseUrl, WORKER_ENROLMENT_TOKEN: enrolmentToken } = parsed.data;
  if (!enrolmentToken || !baseUrl) return env;
  return signedOn(env, await enrol({ file, enrolmentToken, baseUrl, signal: terms.signal }));
}

function signedOn(env: NodeJS.ProcessEnv, { workerId, token }: Account): NodeJS.ProcessEnv {
  const { WORKER_ENROLMENT_TOKEN, WORKER_ENROLMENT_TOKEN_FILE, ...rest } = env;
  return { ...rest, WORKER_ID: workerId, WORKER_TOKEN: token };
}

async function readAccount(file: string): Promise<Account | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new Error(`WORKER_ACCOUNT_PATH: ${file} cannot be read.`);
  }
  try {
    return accountSchema.parse(JSON.parse(text));
  } catch {
    throw new Error(`WORKER_ACCOUNT_PATH: ${file} holds no account of a worker.`);
  }
}

interface Enrolment {
  readonly file: string;
  readonly enrolmentToken: string;
  readonly baseUrl: string;
  readonly signal: AbortSignal | undefined;
}

/** The place to write to is held before the token is spent: what the hub answers is told once. */
async function enrol({ file, enrolmentToken, baseUrl, signal }: Enrolment): Promise<Account> {
  const draft = `${file}.${randomUUID()}.tmp`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(draft, "wx", 0o600);
  try {
    const account = await exchange(new URL("/internal/enrol", baseUrl), enrolmentToken, signal);
    await handle.writeFile(`${JSON.stringify(account)}\n`);
    await handle.sync();
    await rename(draft, file);
    return account;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Waits for a hub that is away. An answer that was lost on its way has spent the token all the same. */
async function exchange(endpoint: URL, token: string, signal: AbortSignal | undefined): Promise<Account> {
  for (;;) {
    signal?.throwIfAborted();
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, accept: "application/json" },
      redirect: "error",
      signal: AbortSignal.any([AbortSignal.timeout(callTimeoutMs), ...(signal ? [signal] : [])]),
    }).catch(() => null);
    if (response?.ok) return accountSchema.parse(await response.json());
    if (response?.status === 401)
      throw new HubError(
        "UNAUTHENTICATED",
        "WORKER_ENROLMENT_TOKEN: the hub refuses it. It works once, and within 24 hours: enrol the worker again.",
      );
    await pause(pauseMs, undefined, { signal });
  }
}
