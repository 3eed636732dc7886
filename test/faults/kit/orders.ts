// A process of the data plane that is stopped at points which the test names while it runs, and let go on.
import { readFileSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { FaultPoint } from "../../../artifact/fault-point.ts";
import type { StagedProcess, StagedProcessOptions } from "../../stage/data-plane.ts";
import type { Fault } from "./fault.ts";

export interface ObedientProcess extends AsyncDisposable {
  readonly process: StagedProcess;
  /** It is to stop, as by SIGSTOP, where it next comes to this point. */
  stopAt(point: FaultPoint): Promise<void>;
  /** As `stopAt`, and for the other ends. */
  order(point: FaultPoint, action: Fault["action"]): Promise<void>;
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
  const order = async (point: FaultPoint, action: Fault["action"]) => {
    await writeFile(`${orders}.new`, `${point}:${action}`);
    await rename(`${orders}.new`, orders);
  };
  return {
    process: staged,
    order,
    stopAt: (point) => order(point, "stop"),
    stopped: () => untilStopped(staged),
    goOn: () => void child.kill("SIGCONT"),
    async [Symbol.asyncDispose]() {
      child.kill("SIGCONT");
      await staged[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Resolves once the system says that it stands still; throws where it does not come to that. */
export async function untilStopped({ child, lines }: StagedProcess): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (stateOf(child.pid ?? 0) !== "T") {
    if (performance.now() > deadline || child.exitCode !== null)
      throw new Error(`it did not come to the point:\n${lines.slice(-10).join("\n")}`);
    await pause(10);
  }
}

function stateOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
}
