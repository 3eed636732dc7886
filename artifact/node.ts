// The door for Node: everything the portable door has, and what needs native code and a file system.
export { type OpenedArtifact, type OpenedEntry, type OpenOptions, openArtifact } from "./open.ts";
export * from "./portable.ts";
export { type SealedArtifact, type SealOptions, type SealProgress, seal } from "./seal.ts";
export { localStorage } from "./storage/local.ts";
export { type Verification, type VerifyOptions, verify } from "./verify.ts";
