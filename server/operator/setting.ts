// What a command for operators is given, and how it says how it ended.

export interface OperatorSetting {
  readonly env: NodeJS.ProcessEnv;
  /** Asks it to stop. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly complain: (line: string) => void;
  /** With which code the process ends [0]. */
  endWith(exitCode: number): void;
}
