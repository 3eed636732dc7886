// How processes of workers share a temporary directory, and how anybody can tell which of them still live.
import { createHash } from "node:crypto";
import { connect } from "node:net";

const named = /^worker-[0-9a-f]{8}$/;

/** The directory of one worker below the base: short, since paths of sockets have to be. */
export function workerPlace(workerId: string): string {
  return `worker-${createHash("sha256").update(workerId).digest("hex").slice(0, 8)}`;
}

export function isWorkerPlace(name: string): boolean {
  return named.test(name);
}

/** The socket that the owner of a process's directory listens to while it lives. */
export function livenessOf(directory: string): string {
  return `${directory}.alive`;
}

/** Whether somebody listens there; a process that is merely stopped does. What cannot be told counts as yes. */
export function isAnswered(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const answer = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", ({ code }: NodeJS.ErrnoException) => answer(code !== "ECONNREFUSED" && code !== "ENOENT"));
  });
}
