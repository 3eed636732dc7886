// Remembers documents that were parsed lately, so that programs which send the same ones again do not have them parsed again.

/** Of the operations that programs send, all but a few are shorter. What is longer could fill the memory with what is never seen again. */
const maxSourceLength = 8_192;
const maxDocuments = 500;

export interface DocumentCache<T> {
  get(source: string): T | undefined;
  set(source: string, document: T): void;
}

/** Forgets what was asked for longest ago. */
export function createDocumentCache<T>(): DocumentCache<T> {
  const documents = new Map<string, T>();
  return {
    get(source) {
      const document = documents.get(source);
      if (document !== undefined) {
        documents.delete(source);
        documents.set(source, document);
      }
      return document;
    },
    set(source, document) {
      if (source.length > maxSourceLength) return;
      documents.set(source, document);
      const oldest = documents.size > maxDocuments ? documents.keys().next().value : undefined;
      if (oldest !== undefined) documents.delete(oldest);
    },
  };
}

/** For what is wrong with a document: it is found again as quickly as it was the first time. */
export const noCache = { get: () => undefined, set: () => undefined };
