// The public surface, put together.
import "./failures.ts";
import "./api-key.ts";
import "./audit.ts";
import "./changes.ts";
import "./check.ts";
import "./credential.ts";
import "./invitation.ts";
import "./job.ts";
import "./job-progress.ts";
import "./membership.ts";
import "./node.ts";
import "./password-reset.ts";
import "./restore.ts";
import "./retention.ts";
import "./schedule.ts";
import "./session.ts";
import "./snapshot.ts";
import "./setting.ts";
import "./source.ts";
import "./tenant.ts";
import "./tenant-overview.ts";
import "./tenant-key.ts";
import "./user.ts";
import "./worker.ts";
import { builder } from "./builder.ts";

export const publicSchema = builder.toSchema();
