// Runs dump programs on an SSH server, as its user and with its own versions of them.
import type { SshConnection } from "../ssh/connection.ts";
import { commandLine, quote } from "../ssh/quote.ts";
import { bufferBytes, type Place, type ToolCommand, wordsOf } from "./place.ts";

/** Nothing of the user's own environment, such as a PGSERVICE or a ~/.my.cnf, has a say; where programs are is the server's affair. */
const start = `b=$(command -v stdbuf >/dev/null 2>&1 && echo stdbuf -o${bufferBytes})
exec env -i PATH="$PATH" $b env "$@" </dev/null`;
/**
 * The secret comes on standard input and goes into memory where the server has /dev/shm, otherwise into its temporary directory;
 * before the program starts the file has lost its name. A descriptor of it is a regular file, which libpq insists on, on every
 * Linux; systems whose /dev/fd ends at 2 cannot be served.
 */
const startWithSecret = `umask 077
f=$(mktemp -p /dev/shm 2>/dev/null || mktemp) || exit 96
cat >"$f" || { rm -f "$f"; exit 96; }
{ rm -f "$f"; ${start}; } 3<"$f"`;

/** The connection stays its owner's. */
export function farPlace(connection: SshConnection): Place {
  return {
    isFar: true,
    run(command: ToolCommand) {
      const { secretFile, silenceMs, firstByteMs = silenceMs } = command;
      const { program, args, env } = wordsOf(command);
      const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
      // The user's shell may be any; what it has to understand is no more than quoted words.
      const line = `exec sh -c ${quote(secretFile ? startWithSecret : start)} sh ${commandLine([...settings, program, ...args])}`;
      const patience = {
        ...(silenceMs !== undefined && { silenceMs }),
        ...(firstByteMs !== undefined && { firstByteMs }),
      };
      return connection.run(line, { input: secretFile?.text ?? "", ...patience });
    },
  };
}
