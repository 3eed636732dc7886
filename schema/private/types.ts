// The words that the commands of the private surface share.
import {
  Depth as depths,
  JobType as jobTypes,
  RestoreForm as restoreForms,
  SourceType as sourceTypes,
  WorkerRole as workerRoles,
} from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";

export const JobType = builder.enumType("JobType", {
  description: "What a job does.",
  values: {
    BACKUP: { value: jobTypes.BACKUP, description: "Make a snapshot of a source." },
    RESTORE: { value: jobTypes.RESTORE, description: "Prepare a download of a snapshot." },
    DELETE_SNAPSHOT: { value: jobTypes.DELETE_SNAPSHOT, description: "Remove a snapshot's bytes." },
    VERIFY: { value: jobTypes.VERIFY, description: "Check a snapshot's bytes." },
    TEST_SOURCE: { value: jobTypes.TEST_SOURCE, description: "Connect to a source and look." },
  },
});
export const SourceType = builder.enumType("SourceType", {
  description: "How a source is reached.",
  values: {
    SSH: { value: sourceTypes.SSH, description: "SSH, read through the server's own tar." },
    SFTP: { value: sourceTypes.SFTP, description: "SFTP." },
    FTP: { value: sourceTypes.FTP, description: "FTP or FTPS." },
    MYSQL: { value: sourceTypes.MYSQL, description: "A dump of MySQL or MariaDB." },
    POSTGRES: { value: sourceTypes.POSTGRES, description: "A dump of PostgreSQL." },
    WORDPRESS: { value: sourceTypes.WORDPRESS, description: "SSH: the files of a site and a dump of its database." },
  },
});
export const RestoreForm = builder.enumType("RestoreForm", {
  description: "The form of a download.",
  values: {
    ZIP: { value: restoreForms.ZIP, description: "A zip file." },
    TAR: { value: restoreForms.TAR, description: "A tar file." },
    SEALED: { value: restoreForms.SEALED, description: "The stored artifact, unopened." },
  },
});
export const VerifyDepth = builder.enumType("VerifyDepth", {
  description: "How deep a check of a snapshot looks.",
  values: {
    BYTES: { value: depths.BYTES, description: "What is stored is what was sealed. Takes no key." },
    CONTENT: { value: depths.CONTENT, description: "And every entry comes out of it as the catalogue describes it." },
  },
});
export const WorkerRole = builder.enumType("WorkerRole", {
  description: "What a process of the data plane is for.",
  values: {
    BACKUP: { value: workerRoles.BACKUP, description: "Backs up, and keeps what it stored." },
    RESTORE: { value: workerRoles.RESTORE, description: "Prepares downloads and hands them out." },
  },
});
export const Phase = builder.enumType("Phase", {
  description: "Where the work on a job stands.",
  values: {
    CONNECTING: { description: "On the way to the source." },
    PULLING: { description: "Reading the source and sealing what it gives." },
    FINALIZING: {
      description: "All is read; the artifact is being made durable. A state of the job, which never goes back.",
    },
    PREPARING: { description: "Opening an artifact and writing the download." },
    DELETING: { description: "Removing a snapshot's bytes." },
    VERIFYING: { description: "Reading a snapshot to see whether it is whole." },
  },
});

export const LeaseInput = builder.inputType("LeaseInput", {
  description: "The lease that a command acts under.",
  fields: (t) => ({
    jobId: t.id({ description: "The held job." }),
    leaseEpoch: t.int({ description: "The epoch that the claim answered." }),
  }),
});

export const LeasePayload = builder.objectRef<{ jobId: string; leaseEpoch: number }>("LeasePayload").implement({
  description: "The lease that the command acted under.",
  fields: (t) => ({
    jobId: t.exposeID("jobId", { description: "The job." }),
    leaseEpoch: t.exposeInt("leaseEpoch", { description: "The epoch." }),
  }),
});
