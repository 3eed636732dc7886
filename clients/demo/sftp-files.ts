// Answers the requests of one SFTP session from a real directory: everything can be read, nothing leaves it, nothing changes.
import { constants, type Dir } from "node:fs";
import { type FileHandle, lstat, open, opendir, readlink, stat } from "node:fs/promises";
import { posix } from "node:path";
import ssh2, { type Attributes, type SFTPWrapper } from "ssh2";
import { attributesOf, placeOf, Refusal, readNames, statusOf, targetOf } from "./sftp-places.ts";

const { OPEN_MODE, STATUS_CODE } = ssh2.utils.sftp;

/** Most bytes of one answer; who asks for more gets less, and asks again. */
const longestRead = 256 * 1024;
const mostHandles = 1024;

/** Serves until the session closes, any number of requests at a time. `root` is a real path, which clients see as `/`. */
export function serveFiles(sftp: SFTPWrapper, root: string): void {
  const handles = new Handles();
  const sayName = (request: number, filename: string) =>
    sftp.name(request, [{ filename, longname: filename, attrs: {} as Attributes }]);
  /** Does the work of a request; whatever goes wrong is answered as a status of the protocol. */
  const serve =
    <Arguments extends unknown[]>(work: (request: number, ...rest: Arguments) => Promise<void>) =>
    (request: number, ...rest: Arguments): void => {
      work(request, ...rest).catch((error: unknown) => sftp.status(request, statusOf(error)));
    };

  sftp.on("REALPATH", (request, path) => sayName(request, posix.resolve("/", path)));
  sftp.on(
    "READLINK",
    serve(async (request, path: string) => sayName(request, await readlink(await placeOf(root, path)))),
  );
  sftp.on(
    "LSTAT",
    serve(async (request, path: string) => sftp.attrs(request, attributesOf(await lstat(await placeOf(root, path))))),
  );
  sftp.on(
    "STAT",
    serve(async (request, path: string) => sftp.attrs(request, attributesOf(await stat(await targetOf(root, path))))),
  );
  sftp.on(
    "FSTAT",
    serve(async (request, handle: Buffer) => sftp.attrs(request, attributesOf(await handles.file(handle).stat()))),
  );
  sftp.on(
    "OPEN",
    serve(async (request, path: string, flags: number) => {
      if (flags !== OPEN_MODE.READ) throw new Refusal(STATUS_CODE.PERMISSION_DENIED);
      // A pipe must not be waited for.
      const file = await open(await targetOf(root, path), constants.O_RDONLY | constants.O_NONBLOCK);
      sftp.handle(request, handles.keep(file));
    }),
  );
  sftp.on(
    "READ",
    serve(async (request, handle: Buffer, offset: number, length: number) => {
      const buffer = Buffer.allocUnsafe(Math.min(length, longestRead));
      const { bytesRead } = await handles.file(handle).read(buffer, 0, buffer.length, offset);
      if (bytesRead === 0) throw new Refusal(STATUS_CODE.EOF);
      sftp.data(request, buffer.subarray(0, bytesRead));
    }),
  );
  sftp.on(
    "OPENDIR",
    serve(async (request, path: string) =>
      sftp.handle(request, handles.keep(await opendir(await targetOf(root, path)))),
    ),
  );
  sftp.on(
    "READDIR",
    serve(async (request, handle: Buffer) => {
      const names = await readNames(handles.directory(handle));
      if (names.length === 0) throw new Refusal(STATUS_CODE.EOF);
      sftp.name(request, names);
    }),
  );
  sftp.on(
    "CLOSE",
    serve(async (request, handle: Buffer) => {
      await handles.close(handle);
      sftp.status(request, STATUS_CODE.OK);
    }),
  );
  sftp.on("close", () => handles.closeAll());
}

/** What a session has open, under the names that its client knows it by. */
class Handles {
  readonly #opened = new Map<number, FileHandle | Dir>();
  #last = 0;

  keep(opened: FileHandle | Dir): Buffer {
    if (this.#opened.size >= mostHandles) {
      opened.close().catch(() => undefined);
      throw new Refusal(STATUS_CODE.FAILURE);
    }
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(++this.#last);
    this.#opened.set(this.#last, opened);
    return handle;
  }

  file(handle: Buffer): FileHandle {
    const opened = this.#find(handle);
    if (!("fd" in opened)) throw new Refusal(STATUS_CODE.FAILURE);
    return opened;
  }

  directory(handle: Buffer): Dir {
    const opened = this.#find(handle);
    if ("fd" in opened) throw new Refusal(STATUS_CODE.FAILURE);
    return opened;
  }

  async close(handle: Buffer): Promise<void> {
    const opened = this.#find(handle);
    this.#opened.delete(handle.readUInt32BE());
    await opened.close();
  }

  closeAll(): void {
    for (const opened of this.#opened.values()) opened.close().catch(() => undefined);
    this.#opened.clear();
  }

  #find(handle: Buffer): FileHandle | Dir {
    const opened = handle.length === 4 ? this.#opened.get(handle.readUInt32BE()) : undefined;
    if (!opened) throw new Refusal(STATUS_CODE.FAILURE);
    return opened;
  }
}
