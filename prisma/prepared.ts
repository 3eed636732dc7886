// Decides which statements the connections of a pool keep prepared: those that come again, and no more of them than fit.

/** Of each connection: every one of them takes some ten kilobytes of the server's memory. */
const mostNames = 100;
/** A statement that nobody asks for a second time is not worth keeping. */
const keptFrom = 3;
/** Of statements that are not kept yet. */
const mostCandidates = 1_000;

/**
 * Names for Prisma's statements, one and the same for the same text; empty for one that is not kept. What customers ask
 * for decides what the statements look like, so there may be any number of them: the first hundred that repeat get a name,
 * and those that come later are planned every time.
 */
export function nameRepeated(): (statement: { readonly sql: string }) => string {
  const names = new Map<string, string>();
  const candidates = new Map<string, number>();
  return ({ sql }) => {
    const known = names.get(sql);
    if (known !== undefined || names.size >= mostNames) return known ?? "";
    const times = (candidates.get(sql) ?? 0) + 1;
    candidates.delete(sql);
    if (times < keptFrom) {
      candidates.set(sql, times);
      const [oldest] = candidates.size > mostCandidates ? candidates.keys() : [];
      if (oldest !== undefined) candidates.delete(oldest);
      return "";
    }
    const name = `xvault_${names.size}`;
    names.set(sql, name);
    return name;
  };
}
