// Lets the report of work that is done be made although its job is to stop: what is stored and reported to nobody is of no use to anybody.

const outlivesMs = 3_000;

/** Aborted for the same reason, three seconds later. */
export function outliving(signal: AbortSignal): AbortSignal {
  const later = new AbortController();
  const follow = () => setTimeout(() => later.abort(signal.reason), outlivesMs).unref();
  if (signal.aborted) follow();
  else signal.addEventListener("abort", follow, { once: true });
  return later.signal;
}
