// Runs a process of ours with a clock that is wrong, and that may jump; only the clock on the wall, as on any real machine.
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface StagedClock extends AsyncDisposable {
  /** For the environment of the process, and of whatever it starts. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on it is wrong by this: `-2h`, `+10m`, `+0`. */
  jump(by: string): Promise<void>;
}

const library = "/usr/$LIB/faketime/libfaketimeMT.so.1";

/** Wrong by `by` to begin with. Ends when the processes have ended. */
export async function stageClock(by: string): Promise<StagedClock> {
  const directory = await mkdtemp(join(tmpdir(), "xvault-clock-"));
  const file = join(directory, "clock");
  async function jump(offset: string): Promise<void> {
    // It is read at every look at the clock, so it has to be whole at every moment.
    await writeFile(`${file}.new`, `${offset}\n`);
    await rename(`${file}.new`, file);
  }
  await jump(by);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    jump,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
