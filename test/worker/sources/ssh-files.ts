// Stages trees on OpenSSH servers of many kinds, and connects to them as sources of type SSH.
import { connectSshFiles } from "../../../worker/sources/ssh.ts";
import { available } from "../../stage/available.ts";
import { type OpenSshOptions, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { type Tree, writeTree } from "../../stage/tree.ts";
import { connectTo, type Differences, type Peer } from "./reading.ts";

export async function serve(nodes: Tree, options: OpenSshOptions = {}): Promise<StagedOpenSsh> {
  const sshd = await stageOpenSsh(options);
  await writeTree(sshd.data, nodes, { owner: sshd.owner });
  return sshd;
}

export function connect(peer: Peer & { username?: string; password?: string; data?: string }, other: Differences = {}) {
  return connectTo(peer, { connect: connectSshFiles, ...other });
}

interface Kind {
  /** What the source says it is read by. */
  readonly tool: string | null;
  readonly options: OpenSshOptions;
  readonly skip: string | false;
}

const busybox = "/bin/busybox";

/** Servers by how their files are read. */
export const kinds: Readonly<Record<string, Kind>> = {
  "GNU tar": { tool: "GNU tar", options: {}, skip: false },
  "BusyBox by the names of its applets": {
    tool: "BusyBox tar",
    options: { programs: { tar: busybox, ls: busybox }, ordinaryPrograms: false },
    skip: available("busybox") ?? false,
  },
  "BusyBox by its own name": {
    tool: "BusyBox tar",
    options: { programs: { busybox }, ordinaryPrograms: false },
    skip: available("busybox") ?? false,
  },
  "SFTP, where the user has no shell": { tool: null, options: { shell: "/usr/sbin/nologin" }, skip: false },
};
