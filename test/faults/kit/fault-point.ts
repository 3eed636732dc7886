// Fails where it is told to: stands in for artifact/fault-point.ts in processes that are started with `--conditions=faults`.
import { appendFileSync, closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import type { FaultPoint } from "../../../artifact/fault-point.ts";

/** What happens at a point. `stop` is SIGSTOP: somebody else lets the process go on. */
type Action = "kill" | "stop" | "abort" | "throw";

/** `<point>:<action>`, and the how manieth time [1] that the point is passed: `backup.renamed:kill:2`. */
const [wanted, action, nth = "1"] = (process.env.XVAULT_FAULT ?? "").split(":") as [FaultPoint?, Action?, string?];
/** A file that says that it has happened: a process that is started again afterwards goes on. */
const onceFile = process.env.XVAULT_FAULT_ONCE;
/** A file without which nothing happens. */
const armedFile = process.env.XVAULT_FAULT_ARMED;
/** Gets a line for every point that is passed. */
const traceFile = process.env.XVAULT_FAULT_TRACE;

/** A file with `<point>:<action>`, looked for at every point and removed when it happens: a process that runs is told anew with it. */
const ordersFile = process.env.XVAULT_FAULT_ORDERS;

let passed = 0;

export function faultPoint(name: FaultPoint): void {
  if (traceFile) appendFileSync(traceFile, `${name}\n`);
  const ordered = ordersFile ? orderAt(name, ordersFile) : null;
  if (ordered) happen(name, ordered);
  else if (isWanted(name) && ++passed === Number(nth) && isFirst()) happen(name, action);
}

function isWanted(name: FaultPoint): boolean {
  return name === wanted && (!armedFile || existsSync(armedFile));
}

function happen(name: FaultPoint, action: Action | undefined): void {
  if (action === "kill") process.kill(process.pid, "SIGKILL");
  else if (action === "stop") process.kill(process.pid, "SIGSTOP");
  // Node's own `abort` writes a backtrace first, which takes it seconds.
  else if (action === "abort") process.kill(process.pid, "SIGABRT");
  else throw new Error(`made to fail at ${name}`);
}

function orderAt(name: FaultPoint, file: string): Action | null {
  let order: string;
  try {
    order = readFileSync(file, "utf8").trim();
  } catch {
    return null;
  }
  const [point, action] = order.split(":") as [FaultPoint, Action];
  if (point !== name) return null;
  rmSync(file, { force: true });
  return action;
}

function isFirst(): boolean {
  if (!onceFile) return true;
  try {
    closeSync(openSync(onceFile, "wx"));
    return true;
  } catch {
    return false;
  }
}
