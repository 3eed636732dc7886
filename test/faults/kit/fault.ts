// How a staged process is told where to fail.
import type { FaultPoint } from "../../../artifact/fault-point.ts";

export interface Fault {
  readonly at: FaultPoint;
  /** `stop` is SIGSTOP: the test lets the process go on. */
  readonly action: "kill" | "stop" | "abort" | "throw";
  /** The how manieth time [1] that the point is passed. */
  readonly nth?: number;
  /** A file that is made when it happens: later processes that are told the same go on. */
  readonly onceFile?: string;
  /** A file without which it does not happen, and is not counted: made by the test when the time has come. */
  readonly armedFile?: string;
}

/** Arguments of Node, and environment, for a process with this fault; with nothing for none. `traceFile` gets every point passed. */
export function faulty(fault?: Fault, traceFile?: string): { args: string[]; env: Record<string, string> } {
  if (!fault && !traceFile) return { args: [], env: {} };
  return {
    args: ["--conditions=faults"],
    env: {
      ...(fault && { XVAULT_FAULT: `${fault.at}:${fault.action}:${fault.nth ?? 1}` }),
      ...(fault?.onceFile && { XVAULT_FAULT_ONCE: fault.onceFile }),
      ...(fault?.armedFile && { XVAULT_FAULT_ARMED: fault.armedFile }),
      ...(traceFile && { XVAULT_FAULT_TRACE: traceFile }),
    },
  };
}
