// Shows what a source test found.
import * as z from "zod";
import { bytesText, plural, printable } from "../figures.ts";
import type { Output } from "../terminal.ts";

const findings = z.object({
  hostKey: z.string().nullish().catch(null),
  jumpHostKey: z.string().nullish().catch(null),
  serverVersion: z.string().nullish().catch(null),
  sampleEntries: z.array(z.string()).catch([]),
  tools: z.record(z.string(), z.string()).catch({}),
  remarks: z.array(z.string()).catch([]),
  estimate: z.object({ files: z.number(), bytes: z.number() }).nullish().catch(null),
});

export type Findings = z.infer<typeof findings>;

/** Workers of another version may have found less. */
export function parseFindings(value: unknown): Findings {
  return findings.parse(typeof value === "object" && value !== null ? value : {});
}

export function printFindings(output: Output, found: Findings): void {
  const line = (label: string, text: string) => output.write(`  ${label.padEnd(14)}${printable(text)}\n`);
  if (found.serverVersion) line("Server", found.serverVersion);
  if (found.hostKey) line("Host key", found.hostKey);
  if (found.jumpHostKey) line("Jump host key", found.jumpHostKey);
  for (const [name, version] of Object.entries(found.tools)) line("Program", `${name} ${version}`);
  if (found.estimate)
    line("Size", `about ${bytesText(found.estimate.bytes)} in ${plural(found.estimate.files, "file")}`);
  if (found.sampleEntries.length > 0) line("Found", found.sampleEntries.join(", "));
  for (const remark of found.remarks) line("Note", remark);
}
