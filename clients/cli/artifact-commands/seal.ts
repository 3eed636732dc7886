// `xvault artifact seal`: makes an artifact of a directory or file of this machine.
import { randomUUID } from "node:crypto";
import { access, lstat } from "node:fs/promises";
import { localDirectory, readTree, seal as sealArtifact, type Warning } from "#artifact/node";
import packageJson from "../../../package.json" with { type: "json" };
import { CommandError, exitCodes, reasonOf } from "../failure.ts";
import { bytesText, durationText, plural, printable } from "../figures.ts";
import { openProgressDisplay } from "../progress-display.ts";
import type { Terminal } from "../terminal.ts";
import { workTeller } from "../work-step.ts";
import { explained } from "./failure.ts";

export interface SealOptions {
  readonly recipient: readonly string[];
  readonly out: string;
  readonly json?: boolean;
}

const warningsShown = 20;

export async function seal(terminal: Terminal, path: string, { recipient, out, json }: SealOptions): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  if (recipient.length === 0) throw new CommandError("Name at least one --recipient.", { exitCode: exitCodes.usage });
  await access(path).catch((cause: unknown) => {
    throw new CommandError(`${path} cannot be read: ${reasonOf(cause)}.`, { cause });
  });
  if (await lstat(out).catch(() => null))
    throw new CommandError(`${out} is there already; name another directory.`, { exitCode: exitCodes.usage });

  const warnings: Warning[] = [];
  const id = randomUUID();
  const sealed = await explained(out, async () => {
    using display = openProgressDisplay(stderr, { ...terminal, title: `Sealing of ${path}` });
    const tell = workTeller(display);
    return sealArtifact({
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
