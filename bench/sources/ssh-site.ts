// How the two sides reach the same staged SSH server.
import type { StagedOpenSsh } from "../../test/stage/peers/openssh.ts";
import type { Pull } from "./pull-process.ts";

type Way = Pick<StagedOpenSsh, "port">;

/** `through` is a proxy in front of the server, where there is one. */
export function sshSource(type: "SSH" | "SFTP", sshd: StagedOpenSsh, through: Way = sshd): Omit<Pull, "sealed"> {
  const { host, username, data: path, privateKey, hostKey } = sshd;
  return { type, config: { host, port: through.port, username, path }, secrets: { privateKey }, hostKey };
}

/** Up to and including the server's name. */
export function sshCommand(sshd: StagedOpenSsh): string {
  return `ssh -n -q -p ${sshd.port} ${identityOf(sshd)} ${sshd.username}@${sshd.host}`;
}

/** The key and the host key, as OpenSSH's programs take them. */
export function identityOf({ files }: StagedOpenSsh): string {
  return `-i ${files}/id -o UserKnownHostsFile=${files}/known_hosts -o StrictHostKeyChecking=no -o LogLevel=ERROR`;
}
