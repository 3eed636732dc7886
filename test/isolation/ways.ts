// How somebody comes to what takes arguments: through the node of this noun, or through a query about one.
export const ways = {
  Tenant: "tenant",
  Source: "source",
  Credential: "credential",
  Schedule: "schedule",
  Job: "job",
  Snapshot: "snapshot",
  RetentionPreview: { query: "previewRetention", id: "sourceId" },
} as const;
