// What operators run on a machine of the hub, with the hub's environment: `xvault keys rotate-kek`, `xvault fsck`.
// Each file of this folder adds a command; `clients/cli` starts this program for it and hands its exit code on.
import { Command, CommanderError } from "commander";
import { addFsckCommand } from "./fsck-command.ts";
import { addRotateKekCommand } from "./rotate-kek.ts";
import type { OperatorSetting } from "./setting.ts";

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());

const setting: OperatorSetting = {
  env: process.env,
  signal: stop.signal,
  say: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`${line}\n`),
  endWith(exitCode) {
    process.exitCode = exitCode;
  },
};

const program = new Command("xvault").description("For operators, with the hub's environment.").exitOverride();
addRotateKekCommand(program, setting);
addFsckCommand(program, setting);

try {
  await program.parseAsync(process.argv.slice(2), { from: "user" });
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    setting.complain(stop.signal.aborted ? "Interrupted." : error instanceof Error ? error.message : String(error));
    process.exitCode = stop.signal.aborted ? 130 : 1;
  }
}
