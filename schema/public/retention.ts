// What the retention keeps of a source and why, beforehand and in deed.
import { InvalidInputError, NotFoundError, TenantSuspendedError } from "../../domain/errors.ts";
import {
  previewRetention,
  type RetentionSummary,
  type RetentionVerdict,
  runRetention,
} from "../../domain/retention.ts";
import { findSnapshots } from "../../domain/snapshots.ts";
import type { Snapshot as SnapshotRow } from "../../prisma/client/client.ts";
import { gathered } from "./batch.ts";
import { builder } from "./builder.ts";
import type { OrderField } from "./cursor.ts";
import { KeepReason } from "./keep-reason.ts";
import { type Page, type PageArguments, pageCost, planPage, showPage } from "./page.ts";
import { RetentionPolicyInput } from "./retention-policy.ts";
import { Snapshot } from "./snapshot.ts";

const snapshotById = gathered<string, SnapshotRow>(({ hub }, ids) => findSnapshots(hub, ids));

const Verdict = builder.objectRef<RetentionVerdict>("RetentionVerdict").implement({
  description: "What becomes of a snapshot.",
  fields: (t) => ({
    snapshot: t.field({
      type: Snapshot,
      nullable: true,
      description: "It; null where it went meanwhile.",
      resolve: async ({ snapshotId }, _, context) => (await snapshotById(context, snapshotId)) ?? null,
    }),
    reasons: t.field({
      type: [KeepReason],
      description: "Why it stays; none: it goes.",
      resolve: ({ reasons }) => [...reasons],
    }),
  }),
});

const VerdictConnection = builder.connectionObject(
  { type: Verdict, name: "RetentionVerdictConnection", description: "A page of verdicts: 20 by default, 100 at most." },
  { name: "RetentionVerdictEdge", description: "A verdict on its page." },
);

const newestFirst: readonly OrderField[] = [{ name: "snapshotId", direction: "desc", kind: "String" }];

type Arguments = { [Name in keyof PageArguments]?: PageArguments[Name] | undefined };

const cost = ({ first = null, last = null }: Arguments) => pageCost({ first, last });

/** A page of what is in memory, asked for and shown as any other page is. */
function pageOf(
  { first = null, last = null, after = null, before = null }: Arguments,
  verdicts: readonly RetentionVerdict[],
): Page {
  const args = { first, last, after, before };
  const { where, orderBy, take } = planPage(args, {}, "", newestFirst);
  const positions = (where as { AND?: { snapshotId?: { lt?: string; gt?: string } }[] }).AND ?? [];
  const found = verdicts
    .filter(({ snapshotId: id }) =>
      positions.every(({ snapshotId: { lt, gt } = {} }) => !(lt && id >= lt) && !(gt && id <= gt)),
    )
    .toSorted((a, b) => (a.snapshotId < b.snapshotId ? 1 : -1));
  if (orderBy[0]?.snapshotId === "asc") found.reverse();
  return showPage(
    args,
    found.slice(0, take).map((each) => ({ ...each })),
    "",
    newestFirst,
    verdicts.length,
  );
}

interface Preview {
  readonly kept: readonly RetentionVerdict[];
  readonly going: readonly RetentionVerdict[];
}

const RetentionPreview = builder.objectRef<Preview>("RetentionPreview").implement({
  description: "What a run of the retention would do to a source now.",
  fields: (t) => ({
    kept: t.connection(
      {
        type: Verdict,
        description: "What would stay, newest first.",
        complexity: cost,
        resolve: ({ kept }, args) => pageOf(args, kept) as never,
      },
      VerdictConnection,
    ),
    going: t.connection(
      {
        type: Verdict,
        description: "What would go once its grace is over, newest first.",
        complexity: cost,
        resolve: ({ going }, args) => pageOf(args, going) as never,
      },
      VerdictConnection,
    ),
  }),
});

builder.queryField("previewRetention", (t) =>
  t.field({
    type: RetentionPreview,
    nullable: true,
    description: "What the retention would keep of a source, and what not; null for what is unknown or not yours.",
    args: {
      sourceId: t.arg.id({ required: true, description: "The source." }),
      policy: t.arg({ type: RetentionPolicyInput, description: "To be tried instead of those of its schedules." }),
      timezone: t.arg.string({ description: "The IANA timezone of that policy; UTC where none is given." }),
    },
    resolve: (_, args, { hub, actor }) => previewRetention(hub, actor(), args),
  }),
);

builder.relayMutationField(
  "runRetention",
  {
    description:
      "Whose snapshots to look at: of one source, of a tenant, or, for operators of the platform, of everybody.",
    inputFields: (t) => ({
      sourceId: t.id({ description: "One source." }),
      tenantId: t.id({ description: "All sources of a tenant." }),
    }),
  },
  {
    description:
      "Asks for the deletion of every snapshot that no reason keeps, with the usual grace. The platform does so by itself every few hours. A source of which something is being restored is left for the next run.",
    errors: { types: [NotFoundError, InvalidInputError, TenantSuspendedError] },
    resolve: (_, { input }, { hub, actor }) => runRetention(hub, actor(), input),
  },
  {
    description: "What came of it.",
    outputFields: (t) => ({
      evaluated: t.int({
        description: "Snapshots looked at.",
        resolve: ({ evaluated }: RetentionSummary) => evaluated,
      }),
      kept: t.int({ description: "Those with a reason to stay.", resolve: ({ kept }: RetentionSummary) => kept }),
      deleted: t.int({
        description: "Those without one: they go once their grace is over.",
        resolve: ({ deleted }: RetentionSummary) => deleted,
      }),
      enqueued: t.int({
        description: "Deletions that this run asked for; fewer where somebody was quicker.",
        resolve: ({ enqueued }: RetentionSummary) => enqueued,
      }),
    }),
  },
);
