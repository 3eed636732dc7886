// Where a session's tokens are kept, for one program or for several that share the session.
import { z } from "zod";

const keptSession = z.object({
  url: z.url({ protocol: /^https?$/ }),
  email: z.string(),
  accessToken: z.string().min(1),
  expiresAt: z.iso.datetime(),
  refreshToken: z.string().min(1),
  refreshTokenExpiresAt: z.iso.datetime(),
});

/** Secret: whoever has it is signed in. */
export type KeptSession = z.infer<typeof keptSession>;

export interface SessionStore {
  /** What was saved last; null where nothing was, or what is there is none of ours. */
  load(): Promise<KeptSession | null>;
  /** Whole or not at all; null: nothing is kept any more. */
  save(kept: KeptSession | null): Promise<void>;
  /**
   * Does `work` while nobody who shares the store does theirs. A refresh token works once: two who bring the same one to the hub
   * end the session.
   */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
}

/** For as long as this program runs. */
export function keepInMemory(): SessionStore {
  let kept: KeptSession | null = null;
  let last: Promise<unknown> = Promise.resolve();
  return {
    load: async () => kept,
    save: async (next) => {
      kept = next;
    },
    exclusively(work) {
      const done = last.then(work);
      last = done.catch(() => undefined);
      return done;
    },
  };
}

/** Null for text that is no session of ours. */
export function parseKeptSession(text: string): KeptSession | null {
  try {
    return keptSession.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
