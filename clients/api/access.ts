// Where the hub is, and with what a program shows there who it is.

/** Shows who asks: a session that renews its tokens, or a token that stays the same. */
export interface Bearer {
  /**
   * The token to send; undefined: none. `refused` is one that the hub has just turned away: whoever can renews it, and whoever cannot
   * answers the same again. Throws `ApiError`.
   */
  accessToken(refused?: string): Promise<string | undefined>;
}

export interface Access {
  /** Of the public surface, over HTTP. */
  readonly endpoint: URL;
  readonly bearer: Bearer;
  readonly fetch: typeof globalThis.fetch;
}

/** A token that is never renewed, such as an API key; undefined: none. */
export function fixedToken(token: string | undefined): Bearer {
  return { accessToken: async () => token };
}
