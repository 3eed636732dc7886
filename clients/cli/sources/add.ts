// `xvault sources add`: asks for a source, tests it before it is saved, and saves it with the host keys that were accepted.
import { readFile } from "node:fs/promises";
import { text as readStream } from "node:stream/consumers";
import * as z from "zod";
import type { ApiClient } from "../../api/connect.ts";
import { createCredential, deleteCredential } from "../../api/credentials.ts";
import { RefusedError } from "../../api/refusal.ts";
import { createSource, testSourceDraft } from "../../api/sources.ts";
import { CommandError, exitCodes, reasonOf } from "../failure.ts";
import { printable } from "../figures.ts";
import { Questions } from "../questions.ts";
import { openSession } from "../session.ts";
import { chosenTenant, everyTenant } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";
import { type Findings, printFindings } from "./findings.ts";
import { parseRate } from "./rate.ts";
import { askSettings, type SourceType, sourceTypes } from "./settings.ts";
import { findingsOf } from "./test.ts";

export interface AddOptions {
  readonly tenant?: string;
  readonly from?: string;
  readonly acceptHostKey?: boolean;
  /** Bytes a second. */
  readonly maxRate?: string;
}

const signIn = z.strictObject({
  password: z.string().exactOptional(),
  privateKey: z.string().exactOptional(),
  passphrase: z.string().exactOptional(),
});
const described = z.strictObject({
  type: z.enum(Object.keys(sourceTypes) as [SourceType, ...SourceType[]]),
  name: z.string(),
  config: z.record(z.string(), z.unknown()),
  secret: signIn.extend({ ssh: signIn.exactOptional(), jump: signIn.exactOptional() }).optional(),
});

type Described = z.infer<typeof described>;

export async function addSource(terminal: Terminal, options: AddOptions): Promise<void> {
  const api = await openSession(terminal);
  if (options.from !== undefined) return addDescribed(terminal, api, { ...options, from: options.from });
  using questions = new Questions(terminal);
  const tenantId = options.tenant ?? (await chooseTenant(api, terminal, questions));
  const choices = Object.entries(sourceTypes).map(([value, text]) => ({ value: value as SourceType, text }));
  const type = await questions.choose("What is to be backed up", choices);
  const name = await questions.text("What shall it be called");
  for (;;) {
    const source = { type, name, ...(await askSettings(questions, type)) };
    try {
      await using tried = await tryOut(terminal, api, { tenantId, source, maxRate: options.maxRate });
      printFindings(terminal.stderr, tried.found);
      if (!(await acceptedByPerson(questions, tried.found))) throw new CommandError("Nothing was saved.");
      return await tried.save();
    } catch (error) {
      if (!(error instanceof CommandError || error instanceof RefusedError) || terminal.signal.aborted) throw error;
      questions.say(printable(error.message));
      if (!(await questions.yes("Change the settings and try again", true)))
        throw new CommandError("Nothing was saved.");
    }
  }
}

async function addDescribed(terminal: Terminal, api: ApiClient, options: AddOptions & { from: string }): Promise<void> {
  const source = await readDescribed(terminal, options.from);
  const tenantId = await chosenTenant(api, options, terminal.signal);
  await using tried = await tryOut(terminal, api, { tenantId, source, maxRate: options.maxRate });
  const { hostKey } = tried.found;
  if (hostKey && !options.acceptHostKey)
    throw new CommandError(`The host shows the key ${hostKey}: if it is the right one, say --accept-host-key.`);
  printFindings(terminal.stderr, tried.found);
  await tried.save();
}

/** Tested, and not saved yet: disposing forgets its secret unless `save` has been called. */
async function tryOut(
  terminal: Terminal,
  api: ApiClient,
  { tenantId, source, maxRate }: { tenantId: string; source: Described; maxRate?: string | undefined },
) {
  const { signal, stdout } = terminal;
  const { type, name, config, secret } = source;
  const maxBytesPerSecond = maxRate === undefined ? null : parseRate(maxRate);
  await using undo = new AsyncDisposableStack();
  let credentialId: string | null = null;
  if (secret && Object.keys(secret).length > 0) {
    const input = { tenantId, name, secret };
    const { id } = (await api.mutate(createCredential, input, { signal })).credential;
    // Also after an interruption: nobody would use it any more.
    undo.defer(async () => void (await api.mutate(deleteCredential, { credentialId: id }).catch(() => {})));
    credentialId = id;
  }
  const draft = { tenantId, type, config, credentialId };
  const { job } = await api.mutate(testSourceDraft, draft, { signal });
  const found = await findingsOf(api, job.id, `Test of ${name}`, terminal);
  const kept = undo.move();
  return {
    found,
    async save(): Promise<void> {
      const { hostKey = null, jumpHostKey = null } = found;
      const input = { ...draft, name, hostKey, jumpHostKey, maxBytesPerSecond };
      const made = await api.mutate(createSource, input, { signal });
      kept.move();
      stdout.write(`${made.source.id}\n`);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function acceptedByPerson(questions: Questions, { hostKey, jumpHostKey }: Findings): Promise<boolean> {
  if (!hostKey) return questions.yes("Save this source", true);
  questions.say('Compare the host key with what "ssh-keygen -lf" says on the server itself.');
  // As with OpenSSH: a key is not accepted by pressing return.
  return questions.yes(
    jumpHostKey ? "Are these the right keys, and save this source" : "Is it the right key, and save this source",
    false,
  );
}

async function chooseTenant(api: ApiClient, { signal }: Terminal, questions: Questions): Promise<string> {
  const tenants: { readonly id: string; readonly name: string }[] = [];
  for await (const tenant of everyTenant(api, signal)) tenants.push(tenant);
  const [only] = tenants;
  if (only && tenants.length === 1) return only.id;
  if (!only) throw new CommandError("There is no tenant that you could add a source to.");
  return questions.choose(
    "For which tenant",
    tenants.map(({ id, name }) => ({ value: id, text: printable(name) })),
  );
}

async function readDescribed({ stdin }: Terminal, file: string): Promise<Described> {
  const usage = { exitCode: exitCodes.usage };
  let json: unknown;
  try {
    json = JSON.parse(file === "-" ? await readStream(stdin) : await readFile(file, "utf8"));
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? "it is not JSON" : reasonOf(cause);
    throw new CommandError(`${file} cannot be read: ${reason}.`, { ...usage, cause });
  }
  const parsed = described.safeParse(json);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join(".") || "the whole";
  throw new CommandError(`${file} has to hold { type, name, config, secret }: look at ${where}.`, usage);
}
