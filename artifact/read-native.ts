// Opens and verifies artifacts by Node's own engine.
import { type ArtifactPlace, type Documents, readDocuments } from "./document-reader.ts";
import { nativeEngine } from "./engine/native-engine.ts";
import { type OpenedArtifact, type OpenOptions, openWith } from "./open.ts";
import { type Verification, type VerifyOptions, verifyWith } from "./verify.ts";

/** As `openWith` says. */
export function openArtifact(options: OpenOptions): Promise<OpenedArtifact> {
  return openWith(nativeEngine, options);
}

/** As `verifyWith` says. */
export function verify(options: VerifyOptions): Promise<Verification> {
  return verifyWith(nativeEngine, options);
}

/** The documents of an artifact, checked against each other but not against its sealed files. Throws as `readDocuments` says. */
export function readManifest(place: ArtifactPlace): Promise<Documents> {
  return readDocuments(nativeEngine, place);
}
