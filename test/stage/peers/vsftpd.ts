// A real vsftpd for one test: LIST alone, TLS of its own authority, and a user that exists for this server only.
import { chmod, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FtpServerOptions, type FtpSite, ftpUser, type StagedFtp, stageFtpServer } from "./ftp-server.ts";

export function stageVsftpd({ tls = true, maxClients = 20 }: FtpServerOptions = {}): Promise<StagedFtp> {
  return stageFtpServer(async (site) => {
    const { files, packages, port } = site;
    await mkdir(join(files, "empty"), { mode: 0o555 });
    const lines = [
      "listen=YES",
      "background=NO",
      "listen_address=127.0.0.1",
      `listen_port=${port}`,
      "anonymous_enable=NO",
      "local_enable=YES",
      "pam_service_name=xvault-stage",
      "chroot_local_user=YES",
      "allow_writeable_chroot=YES",
      `secure_chroot_dir=${join(files, "empty")}`,
      "seccomp_sandbox=NO",
      "xferlog_enable=YES",
      `vsftpd_log_file=${join(files, "log")}`,
      "log_ftp_protocol=YES",
      `max_per_ip=${maxClients}`,
      ...(tls ? tlsLines(site) : []),
    ];
    await writeFile(join(files, "vsftpd.conf"), `${lines.join("\n")}\n`);
    return inItsOwnSystem(site, [join(packages, "usr/sbin/vsftpd"), join(files, "vsftpd.conf")]);
  });
}

function tlsLines({ certificate, key }: FtpSite): string[] {
  return [
    "ssl_enable=YES",
    "ssl_tlsv1=YES",
    `rsa_cert_file=${certificate}`,
    `rsa_private_key_file=${key}`,
    "ssl_ciphers=HIGH",
    "force_local_logins_ssl=YES",
    "force_local_data_ssl=YES",
    "require_ssl_reuse=YES",
  ];
}

/** vsftpd asks the system for its users: this one process sees one more of them than there are. */
async function inItsOwnSystem({ files, owner, data }: FtpSite, command: readonly string[]): Promise<readonly string[]> {
  const { name, passwordHash } = ftpUser;
  const added = {
    "/etc/passwd": `${name}:x:${owner.uid}:${owner.gid}::${data}:/bin/sh\n`,
    "/etc/shadow": `${name}:${passwordHash}:19000:0:99999:7:::\n`,
  };
  const mounts: string[] = [];
  for (const [place, line] of Object.entries(added)) {
    const copy = join(files, place.slice("/etc/".length));
    await writeFile(copy, `${await readFile(place, "utf8")}${line}`, { mode: 0o600 });
    mounts.push(`mount --bind ${copy} ${place}`);
  }
  await chmod(join(files, "passwd"), 0o644);
  await cp("/etc/pam.d", join(files, "pam.d"), { recursive: true });
  await writeFile(join(files, "pam.d/xvault-stage"), "auth required pam_unix.so\naccount required pam_unix.so\n");
  mounts.push(`mount --bind ${join(files, "pam.d")} /etc/pam.d`);
  const script = `${mounts.join(" && ")} && exec "$@"`;
  return ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "vsftpd", ...command];
}
