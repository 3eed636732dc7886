// A small artifact for the tests that give it other keys.
import { identityToRecipient } from "age-encryption";
import type { RekeyOptions, Storage } from "#artifact/node";
import { type MemoryStorage, memoryStorage } from "../storage/memory.ts";
import { directory, file, folder, identity, link, noise, strangerIdentity } from "./sealing.ts";

export const strangerRecipient = await identityToRecipient(strangerIdentity);

export const entries = () => [
  folder("."),
  file("a", "hello"),
  file("big", noise(3_000_000)),
  link("b", "a", "hardlink"),
  link("l", "/nowhere"),
];

export function optionsFor(storage: Storage, changes: Partial<RekeyOptions> = {}): RekeyOptions {
  return {
    storage,
    directory,
    identities: [identity],
    recipients: [strangerRecipient],
    keep: true,
    attempt: "2",
    signal: new AbortController().signal,
    ...changes,
  };
}

export function copyOf({ files }: MemoryStorage): MemoryStorage {
  const copy = memoryStorage();
  for (const [path, bytes] of files) copy.files.set(path, Buffer.from(bytes));
  return copy;
}
