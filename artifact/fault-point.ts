// Names the places at which a process may be made to fail. An empty function, unless Node is started with `--conditions=faults`: then
// test/faults/kit/fault-point.ts takes its place.

/** `<part>.<what has just happened>`. */
export type FaultPoint =
  // Every job, in the worker and in the restore service.
  | "job.claimed"
  | "job.performed"
  // A backup.
  | "backup.secrets-opened"
  | "backup.connected"
  | "backup.draft-begun"
  | "backup.first-entry"
  | "backup.pulled"
  | "backup.artifact-stored"
  | "backup.catalogue-stored"
  | "backup.read-back"
  | "backup.documents-stored"
  | "backup.staging-synced"
  | "backup.renamed"
  | "backup.committed"
  | "backup.completed"
  // The removal of a snapshot.
  | "deletion.begun"
  | "deletion.out-of-sight"
  | "deletion.removed"
  | "deletion.completed"
  // The preparation of a download.
  | "restore.draft-begun"
  | "restore.keys-opened"
  | "restore.written"
  | "restore.renamed"
  | "restore.published"
  | "restore.completed"
  | "restore.confirmed"
  // A check of a snapshot.
  | "check.passed"
  // A start.
  | "store.swept"
  | "store.reconciled"
  // The hub: any of its transactions, and its doorbell.
  | "hub.before-commit"
  | "hub.committed"
  | "relay.bells-locked"
  | "relay.bells-rung"
  // The rotation of the KEK: a row is sealed anew, and not yet committed.
  | "kek.row-resealed";

export function faultPoint(_name: FaultPoint): void {}
