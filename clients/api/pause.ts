// Waits a while, unless it is interrupted; in Node and in browsers alike.

/** Rejects with the signal's reason as soon as it is aborted. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const timer = setTimeout(end, ms);
  const interrupt = () => end();
  signal?.addEventListener("abort", interrupt, { once: true });
  if (signal?.aborted) end();
  await over;
  clearTimeout(timer);
  signal?.removeEventListener("abort", interrupt);
  signal?.throwIfAborted();
}
