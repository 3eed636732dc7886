// Runs a script of ours in the server's `/bin/sh`, whatever shell the user has, and finds its output behind what that shell may say first.
import { randomBytes } from "node:crypto";
import type { CommandOptions, RunningCommand } from "./command.ts";
import type { SshConnection } from "./connection.ts";
import { noCommands } from "./failure.ts";
import { commandLine } from "./quote.ts";

/** Of greetings before the output. */
const mostPreamble = 1024 * 1024;

/**
 * `words` are `$1`, `$2`… of the script, which must be a single line: not every shell that passes it on takes more. Programs speak
 * English. Throws SOURCE_DISCONNECTED where the server runs no commands; reading the output does where it ran another one instead.
 */
export async function runScript(
  connection: SshConnection,
  script: string,
  words: readonly string[],
  options?: CommandOptions,
): Promise<RunningCommand> {
  const [first, second] = [randomBytes(12).toString("hex"), randomBytes(12).toString("hex")];
  // In two halves: where the command itself is shown, the mark is not in it.
  const begin = `printf %s%s ${first} ${second}; LC_ALL=C; export LC_ALL; unset CDPATH ENV;`;
  const line = commandLine(["/bin/sh", "-c", `${begin} ${script}`, "sh", ...words]);
  const command = await connection.run(`exec ${line}`, options);
  const output = behind(`${first}${second}`, command.output, () => noCommands(connection.host));
  return { output, ended: command.ended, [Symbol.asyncDispose]: () => command[Symbol.asyncDispose]() };
}

async function* behind(
  mark: string,
  output: AsyncIterable<Uint8Array>,
  missing: () => Error,
): AsyncGenerator<Uint8Array, undefined> {
  let preamble: Buffer | null = Buffer.alloc(0);
  for await (const chunk of output) {
    if (!preamble) {
      yield chunk;
      continue;
    }
    preamble = Buffer.concat([preamble, chunk]);
    const at = preamble.indexOf(mark);
    if (at !== -1) {
      const rest = preamble.subarray(at + mark.length);
      preamble = null;
      if (rest.length > 0) yield rest;
    } else if (preamble.length > mostPreamble) throw missing();
  }
  if (preamble) throw missing();
}
