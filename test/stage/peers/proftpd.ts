// A real ProFTPD for one test: MLSD, TLS of its own authority, and a user of its own.
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FtpServerOptions, type FtpSite, ftpUser, type StagedFtp, stageFtpServer } from "./ftp-server.ts";

export function stageProftpd({ tls = true, maxClients = 20 }: FtpServerOptions = {}): Promise<StagedFtp> {
  return stageFtpServer(async (site) => {
    const { files, packages, port } = site;
    await mkdir(join(files, "modules"));
    for (const module of ["mod_tls"])
      await symlink(join(packages, `usr/lib/proftpd/${module}.so`), join(files, `modules/${module}.so`));
    const { name, passwordHash } = ftpUser;
    const { uid, gid } = site.owner;
    await writeFile(join(files, "users"), `${name}:${passwordHash}:${uid}:${gid}::${site.data}:/bin/false\n`);
    await chmod(join(files, "users"), 0o600);
    const lines = [
      "ServerType standalone",
      `ModulePath ${join(files, "modules")}`,
      ...(tls ? ["LoadModule mod_tls.c"] : []),
      "DefaultAddress 127.0.0.1",
      "SocketBindTight on",
      "UseIPv6 off",
      `Port ${port}`,
      "User nobody",
      "Group nogroup",
      `PidFile ${join(files, "pid")}`,
      `ScoreboardFile ${join(files, "scoreboard")}`,
      `SystemLog ${join(files, "log")}`,
      "DelayTable none",
      "WtmpLog off",
      "TransferLog none",
      "AuthOrder mod_auth_file.c",
      `AuthUserFile ${join(files, "users")}`,
      "RequireValidShell off",
      "DefaultRoot ~",
      "UseReverseDNS off",
      "MaxInstances 60",
      `MaxClientsPerUser ${maxClients}`,
      "AllowRetrieveRestart on",
      ...(tls ? tlsLines(site) : []),
    ];
    await writeFile(join(files, "proftpd.conf"), `${lines.join("\n")}\n`);
    return [join(packages, "usr/sbin/proftpd"), "--nodaemon", "--config", join(files, "proftpd.conf")];
  });
}

/** Without `NoSessionReuseRequired`: a data connection with a session of its own is refused. */
function tlsLines({ files, certificate, key }: FtpSite): string[] {
  return [
    "TLSEngine on",
    "TLSRequired on",
    "TLSProtocol TLSv1.2 TLSv1.3",
    `TLSLog ${join(files, "tls.log")}`,
    `TLSECCertificateFile ${certificate}`,
    `TLSECCertificateKeyFile ${key}`,
  ];
}
