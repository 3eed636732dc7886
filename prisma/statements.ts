// Cuts an SQL script into its statements, so that a failure can be told by the one that failed.

export interface Statement {
  readonly sql: string;
  /** Line of the script on which it begins, from 1. */
  readonly line: number;
}

// Everything a semicolon may hide in, then the semicolon, then the rest: 'text', "names", $$bodies$$, comments of both kinds.
const tokens = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$|--[^\n]*|\/\*.*?\*\/|;|\s+|[^\s'"$;/-]+|./gs;

/** In order, without the comments before them. Knows neither `E'\''` nor `BEGIN ATOMIC`: write `''` and `$$`. */
export function statementsOf(script: string): Statement[] {
  const statements: Statement[] = [];
  let start: number | null = null;
  const end = (position: number) => {
    if (start !== null)
      statements.push({
        sql: script.slice(start, position).trimEnd(),
        line: script.slice(0, start).split("\n").length,
      });
    start = null;
  };
  for (const { 0: token, index } of script.matchAll(tokens)) {
    if (token === ";") end(index);
    else if (!/^(\s|--|\/\*)/.test(token)) start ??= index;
  }
  end(script.length);
  return statements;
}
