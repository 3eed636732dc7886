// A session of a person that lasts: renews its access token before it ends, each refresh token once, whoever else shares the session.
import type { Bearer } from "./access.ts";
import { ApiError } from "./api-error.ts";
import { connectApi, type QueryOptions } from "./connect.ts";
import { RefusedError } from "./refusal.ts";
import { type KeptSession, keepInMemory, type SessionStore } from "./session-store.ts";
import { refreshSession, type SessionTokens, signIn, signOut } from "./sessions.ts";

/** Tokens are renewed so long before they end, for the sake of what is on its way. */
const marginMs = 5_000;
/** How long the hub may take to renew: less than a store lets one program keep the others out. */
const renewalTimeoutMs = 10_000;

export interface SessionOptions {
  /** Where the tokens are kept between programs, such as `sessionFile(path)`; in memory where it is not set. */
  readonly store?: SessionStore;
  /** How requests are sent, unless it is the platform's own way. */
  readonly fetch?: typeof globalThis.fetch;
}

export interface Session extends Bearer {
  readonly url: string;
  /** Whose it is. */
  readonly email: string;
  /**
   * A token that is good by now. Renewing, once begun, is brought to its end, since a refresh token works once. Throws `ApiError`:
   * `UNAUTHENTICATED` where the session has ended.
   */
  accessToken(refused?: string): Promise<string>;
  /** Ends the session at the hub, for all who share it, and forgets it in any case. Throws `ApiError` where the hub could not be told. */
  signOut(): Promise<void>;
}

export interface SignIn {
  readonly url: string;
  readonly email: string;
  readonly password: string;
}

/** Signs in. Throws `RefusedError` or `ApiError`. */
export async function beginSession(
  { url, email, password }: SignIn,
  { signal, ...options }: SessionOptions & QueryOptions = {},
): Promise<Session> {
  const api = connectApi({ url, ...options });
  const tokens = await api.mutate(signIn, { email, password }, { signal });
  return keepSession(url, tokens, options);
}

/** The session behind tokens that the hub has just answered: to a sign-in, an invitation, or a change of password. */
export async function keepSession(url: string, tokens: SessionTokens, options: SessionOptions = {}): Promise<Session> {
  const { store = keepInMemory() } = options;
  const kept = keptOf(url, tokens);
  await store.exclusively(() => store.save(kept));
  return new SharedSession(kept, { ...options, store });
}

/** The session that the store holds; null where it holds none. */
export async function resumeSession(
  options: SessionOptions & { readonly store: SessionStore },
): Promise<Session | null> {
  const kept = await options.store.load();
  return kept && new SharedSession(kept, options);
}

class SharedSession implements Session {
  readonly url: string;
  readonly email: string;
  readonly #store: SessionStore;
  readonly #fetch: typeof globalThis.fetch;
  #kept: KeptSession;
  /** A token that was over as soon as it came, by this machine's clock: good until the hub refuses it. */
  #untimed: string | undefined;
  #renewing: Promise<KeptSession> | null = null;

  constructor(
    kept: KeptSession,
    { store, fetch = globalThis.fetch }: SessionOptions & { readonly store: SessionStore },
  ) {
    this.url = kept.url;
    this.email = kept.email;
    this.#kept = kept;
    this.#store = store;
    this.#fetch = fetch;
  }

  async accessToken(refused?: string): Promise<string> {
    // Again where the renewal under way was another's, and brought the token that is refused here.
    while (!this.#isGood(this.#kept, refused)) {
      this.#renewing ??= this.#renew(refused).finally(() => {
        this.#renewing = null;
      });
      this.#kept = await this.#renewing;
    }
    return this.#kept.accessToken;
  }

  async signOut(): Promise<void> {
    const store = this.#store;
    await store.exclusively(async () => {
      // The hub takes any token of a session, spent or not.
      const { refreshToken } = this.#own(await store.load()) ?? this.#kept;
      try {
        await connectApi({ url: this.url, fetch: this.#fetch }).mutate(signOut, { refreshToken });
      } catch (error) {
        // Refused: it has ended already.
        if (!(error instanceof RefusedError)) throw error;
      } finally {
        await store.save(null);
      }
    });
  }

  async #renew(refused: string | undefined): Promise<KeptSession> {
    const store = this.#store;
    // Others who share the session may have renewed it.
    const shared = this.#own(await store.load());
    if (shared && this.#isGood(shared, refused)) return shared;
    return store.exclusively(async () => {
      const kept = this.#own(await store.load());
      if (!kept) throw ended();
      if (this.#isGood(kept, refused)) return kept;
      const renewed = await this.#refresh(kept);
      if (!renewed) {
        await store.save(null);
        throw ended();
      }
      this.#kept = renewed;
      if (!this.#isGood(renewed, undefined)) this.#untimed = renewed.accessToken;
      await store.save(renewed);
      return renewed;
    });
  }

  /** Null where the session has ended. */
  async #refresh({ refreshToken }: KeptSession): Promise<KeptSession | null> {
    const api = connectApi({ url: this.url, fetch: this.#fetch });
    try {
      return keptOf(this.url, await api.mutate(refreshSession, { refreshToken }, { timeoutMs: renewalTimeoutMs }));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      if (error.code === "SESSION_ENDED") return null;
      throw new ApiError(error.code, error.message, { cause: error });
    }
  }

  /** Null where somebody else has signed in since: what they may do is none of this session's. */
  #own(kept: KeptSession | null): KeptSession | null {
    return kept?.url === this.url && kept.email === this.email ? kept : null;
  }

  #isGood({ accessToken, expiresAt }: KeptSession, refused: string | undefined): boolean {
    if (accessToken === refused) return false;
    return accessToken === this.#untimed || Date.parse(expiresAt) - marginMs > Date.now();
  }
}

function keptOf(url: string, { user, ...tokens }: SessionTokens): KeptSession {
  const { accessToken, expiresAt, refreshToken, refreshTokenExpiresAt } = tokens;
  return { url, email: user.email, accessToken, expiresAt, refreshToken, refreshTokenExpiresAt };
}

function ended(): ApiError {
  return new ApiError("UNAUTHENTICATED", "The session has ended: sign in again.");
}
