// Tells a process when to go down, and sees to it that it is down in time, whatever in it should hang.

/** What whoever supervises a process allows it for its end; a second is left for the exit itself. */
const mostSeconds = 30;

/** Resolves with the name of the first SIGTERM or SIGINT. From then on the process has half a minute: what is not over by then is cut. */
export function stopSignal(onSignal: (name: NodeJS.Signals) => void = () => undefined): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const)
      process.once(name, () => {
        setTimeout(() => process.exit(1), (mostSeconds - 1) * 1000).unref();
        onSignal(name);
        resolve(name);
      });
  });
}
