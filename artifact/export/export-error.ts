// What an export can be refused for, though the artifact is sound.

/** The message is a sentence for whoever asked. */
export class ExportError extends Error {
  override readonly name = "ExportError";
  /** `NOT_FOUND`: nothing is there under a name that was asked for. `TOO_MUCH`: the form cannot hold it, or not in bounded memory. */
  readonly code: "NOT_FOUND" | "TOO_MUCH";

  constructor(code: ExportError["code"], message: string) {
    super(message);
    this.code = code;
  }
}
