// A process of the data plane that is stopped at points which the test names while it runs, and let go on.
import { readFileSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { FaultPoint } from "../../../artifact/fault-point.ts";
import type { StagedProcess, StagedProcessOptions } from "../../stage/data-plane.ts";

export interface ObedientProcess extends AsyncDisposable {
  readonly process: StagedProcess;
  /** It is to stop, as by SIGSTOP, where it next comes to this point. */
  stopAt(point: FaultPoint): Promise<void>;
  /** Resolves once it stands still; throws where it does not come to that. */
  stopped(): Promise<void>;
  goOn(): void;
}

/** `stage`: `stageWorker` or `stageRestore`, with what else they take. */
export async function obedient(
  stage: (options: StagedProcessOptions) => Promise<StagedProcess>,
): Promise<ObedientProcess> {
  const directory = await mkdtemp(join(tmpdir(), "xvault-orders-"));
  const orders = join(directory, "orders");
  const staged = await stage({ env: { NODE_OPTIONS: "--conditions=faults", XVAULT_FAULT_ORDERS: orders } });
  const { child } = staged;
  return {
    process: staged,
    async stopAt(point) {
      await writeFile(`${orders}.new`, `${point}:stop`);
      await rename(`${orders}.new`, orders);
    },
    async stopped() {
      const deadline = performance.now() + 30_000;
      while (stateOf(child.pid ?? 0) !== "T") {
        if (performance.now() > deadline || child.exitCode !== null)
          throw new Error(`it did not come to the point:\n${staged.lines.slice(-10).join("\n")}`);
        await pause(10);
      }
    },
    goOn: () => void child.kill("SIGCONT"),
    async [Symbol.asyncDispose]() {
      child.kill("SIGCONT");
      await staged[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function stateOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
}
