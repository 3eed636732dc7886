// Remembers which tokens were found to be genuine: checking a signature costs more than answering a short request.

/** Of tokens: some megabytes at most. */
const most = 5_000;

/**
 * Asks `verify` once for a token as long as it does not expire, and at every call for one that was refused. What a token
 * says may be remembered, because it never changes; whether its session still stands is for the caller to find out.
 */
export function rememberVerified<Claims extends { exp?: number }>(
  verify: (token: string) => Promise<Claims | null>,
): (token: string) => Promise<Claims | null> {
  const known = new Map<string, Claims>();
  return async (token) => {
    const remembered = known.get(token);
    known.delete(token);
    const fresh = remembered?.exp !== undefined && remembered.exp * 1000 > Date.now();
    const claims = fresh ? remembered : await verify(token);
    if (!claims) return null;
    // Put back behind all others: the first is the one that was not used for longest.
    known.set(token, claims);
    const [oldest] = known.size > most ? known.keys() : [];
    if (oldest !== undefined) known.delete(oldest);
    return claims;
  };
}
