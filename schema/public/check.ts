// Snapshots looked at again because somebody wants to know.
import { verifySnapshot } from "../../domain/checks.ts";
import {
  CustomerKeyRequiredError,
  KeyUnavailableError,
  NotFoundError,
  SnapshotDeletedError,
  TenantSuspendedError,
} from "../../domain/errors.ts";
import { builder } from "./builder.ts";
import { Job } from "./job.ts";
import { VerifyDepth } from "./verify-depth.ts";

builder.relayMutationField(
  "verifySnapshot",
  {
    description: "A snapshot to check.",
    inputFields: (t) => ({
      snapshotId: t.id({ required: true, description: "Which." }),
      depth: t.field({
        type: VerifyDepth,
        description:
          "How deep to look: BYTES where nothing is said, or, for one that is damaged, as deep as it takes to see the damage.",
      }),
    }),
  },
  {
    description:
      "Checks a snapshot now, which the platform does by itself as well. One that was damaged or missing, and is whole by now, is good again afterwards; one that is damaged cannot be restored any more, and its source is backed up again.",
    errors: {
      types: [NotFoundError, SnapshotDeletedError, TenantSuspendedError, CustomerKeyRequiredError, KeyUnavailableError],
    },
    resolve: async (_, { input }, { hub, actor }) => ({ job: await verifySnapshot(hub, actor(), input) }),
  },
  {
    description: "The check, which fails with ARTIFACT_CORRUPT where the snapshot is not whole.",
    outputFields: (t) => ({
      job: t.expose("job", { type: Job, description: "It, or the one that was under way already." }),
    }),
  },
);
