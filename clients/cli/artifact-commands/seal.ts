// `xvault artifact seal`: makes an artifact of a directory or file of this machine.
import { randomUUID } from "node:crypto";
import { access, constants, lstat, realpath, stat } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { localDirectory, readTree, seal as sealArtifact, type Warning } from "#artifact/node";
import packageJson from "../../../package.json" with { type: "json" };
import { CommandError, exitCodes, reasonOf } from "../failure.ts";
import { bytesText, durationText, plural, printable } from "../figures.ts";
import { openProgressDisplay } from "../progress-display.ts";
import type { Terminal } from "../terminal.ts";
import { workTeller } from "../work-step.ts";
import { explained } from "./failure.ts";
import { checkRecipients } from "./keys.ts";

export interface SealOptions {
  readonly recipient: readonly string[];
  readonly out: string;
  readonly json?: boolean;
}

const warningsShown = 20;

export async function seal(terminal: Terminal, path: string, { recipient, out, json }: SealOptions): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  checkRecipients(recipient);
  await refuse(path, out);

  const warnings: Warning[] = [];
  const id = randomUUID();
  const sealed = await explained(out, async () => {
    using display = openProgressDisplay(stderr, { ...terminal, title: `Sealing of ${path}` });
    const tell = workTeller(display);
    return await sealArtifact({
      entries: readTree(path, { warn: (warning) => warnings.push(warning), signal }),
      recipients: recipient,
      ids: { tenantId: "local", sourceId: "local", snapshotId: id, jobId: id, workerId: "local" },
      storage: localDirectory(out),
      attempt: id,
      signal,
      createdAt: new Date(),
      tools: { xvault: packageJson.version },
      warnings,
      onProgress: ({ plainBytes, storedBytes, fileCount }) =>
        tell({
          phase: "SEALING",
          bytesDone: plainBytes,
          bytesTotal: null,
          filesDone: fileCount,
          filesTotal: null,
          storedBytes,
        }),
    });
  });
  if (json) {
    const { manifest: _, ...figures } = sealed;
    stdout.write(`${JSON.stringify({ directory: out, ...figures })}\n`);
    return;
  }
  for (const { code, path: at, message } of warnings.slice(0, warningsShown))
    stderr.write(`${printable(`${code} ${at}: ${message}`)}\n`);
  if (warnings.length > warningsShown)
    stderr.write(`… and ${plural(warnings.length - warningsShown, "more warning")}\n`);
  const { fileCount, plainBytes, storedBytes, durationMs } = sealed;
  const sizes = `${bytesText(plainBytes)} → ${bytesText(storedBytes)}`;
  stdout.write(`${out}  ${plural(fileCount, "file")}, ${sizes}, ${durationText(durationMs)}\n`);
}

/** Before anything is read: what cannot be, and what would end up in itself. */
async function refuse(path: string, out: string): Promise<void> {
  const refusal = (message: string, cause?: unknown) => new CommandError(message, { cause, exitCode: exitCodes.usage });
  const unreadable = (cause: unknown) => {
    throw refusal(`${path} cannot be read: ${reasonOf(cause)}.`, cause);
  };
  await access(path, constants.R_OK).catch(unreadable);
  const stats = await stat(path);
  if (!stats.isFile() && !stats.isDirectory()) throw refusal(`${path} is neither a file nor a directory.`);
  if (await lstat(out).catch(() => null)) throw refusal(`${out} is there already: name another directory.`);
  const within = `${await realpath(path)}${sep}`;
  if (stats.isDirectory() && `${await nearestPath(out)}${sep}`.startsWith(within))
    throw refusal(`${out} lies in ${path}, which is to be sealed: name a directory outside of it.`);
}

/** The innermost directory around `path` that is there already, behind all links. */
async function nearestPath(path: string): Promise<string> {
  const above = dirname(resolve(path));
  return realpath(above).catch(() => (above === resolve(path) ? above : nearestPath(above)));
}
