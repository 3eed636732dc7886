// Claims of the artifact engine on this machine's own files: sealing, extracting, taking out one file, and encrypting.
import { execFile } from "node:child_process";
import { createCipheriv, createSecretKey, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { chunkBytes, chunkNonce, tagBytes } from "../artifact/age/chunk.ts";
import { PayloadWriter } from "../artifact/age/payload-writer.ts";
import { countedFind, countedPick } from "./counted-pick.ts";
import { median } from "./figures.ts";
import type { BenchOptions } from "./main.ts";
import { copyRealFiles } from "./real-files.ts";
import { judge, measure, measureShell, takeTurns } from "./turns.ts";

const run = promisify(execFile);
const program = join(import.meta.dirname, "..", "clients", "cli", "main.ts");
const mostMemoryMB = 250;
const smallFileBytes = 4096;
/** A single one is over before its code is warm: a turn tells what one of these takes. */
const picksInTurn = 20;

interface Bench extends BenchOptions {
  readonly scratch: string;
  readonly recipient: string;
  readonly keyFile: string;
}

/** Every side writes to the same disk and waits until what it wrote is there; ours also reads back what it wrote. */
export async function artifact(options: BenchOptions): Promise<void> {
  const scratch = await mkdtemp("/var/tmp/xvault-bench-");
  try {
    const identity = await generateX25519Identity();
    const keyFile = join(scratch, "key.txt");
    await writeFile(keyFile, `${identity}\n`);
    const bench: Bench = { ...options, scratch, keyFile, recipient: await identityToRecipient(identity) };
    await encrypting(bench);
    const mixed = join(scratch, "mixed");
    await mkdir(mixed);
    const { files, bytes } = await copyRealFiles(mixed, options.sizeMB, join(scratch, "list"));
    await writeFile(join(mixed, "one-small-file"), randomBytes(smallFileBytes));
    process.stdout.write(
      `\n${files} files of /usr, ${(bytes / 1e6).toFixed(0)} MB, ${options.turns} turns of each side\n`,
    );
    await sealing(bench, mixed, 0.75);
    await extracting(bench, mixed);
    await picking(bench, mixed);
    await rm(mixed, { recursive: true });
    const random = join(scratch, "random");
    await mkdir(random);
    await run("bash", ["-c", `head -c ${options.sizeMB}000000 /dev/urandom > ${random}/bytes`]);
    process.stdout.write(`${options.sizeMB} MB of random bytes\n`);
    await sealing(bench, random, 0.9);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function sealing({ scratch, recipient, turns }: Bench, tree: string, goal: number): Promise<void> {
  const target = join(scratch, "pipe.age");
  let highestMB = 0;
  await takeTurns({
    ours: {
      name: "xvault artifact seal",
      async run() {
        const measured = await seal({ scratch, recipient }, tree);
        highestMB = Math.max(highestMB, measured.peakMB);
        return measured;
      },
    },
    theirs: {
      name: "tar -c | zstd -3 | age -r, and sync",
      async run() {
        const measured = await measureShell(
          `tar -C ${tree} -c . | zstd -q -3 | age -r ${recipient} > ${target} && sync ${target}`,
        );
        await rm(target);
        return measured;
      },
    },
    turns,
    goal,
  });
  judge(`peak memory ${highestMB.toFixed(0)} MB`, highestMB <= mostMemoryMB, `at most ${mostMemoryMB} MB`);
}

/** Leaves `scratch/artifact`. */
async function seal({ scratch, recipient }: Pick<Bench, "scratch" | "recipient">, tree: string) {
  const out = join(scratch, "artifact");
  await rm(out, { recursive: true, force: true });
  return measure(program, ["artifact", "seal", tree, "--recipient", recipient, "--out", out]);
}

async function extracting(bench: Bench, tree: string): Promise<void> {
  const { scratch, keyFile, turns } = bench;
  await seal(bench, tree);
  const [ours, theirs] = [join(scratch, "ours"), join(scratch, "theirs")];
  const sealed = join(scratch, "artifact", "backup.tar.zst.enc");
  await takeTurns({
    ours: {
      name: "xvault artifact extract",
      async run() {
        await rm(ours, { recursive: true, force: true });
        const args = ["artifact", "extract", join(scratch, "artifact"), "--key", keyFile, "--out", ours];
        return measure(program, args);
      },
    },
    theirs: {
      name: "age -d | zstd -d | tar -x",
      async run() {
        await rm(theirs, { recursive: true, force: true });
        await mkdir(theirs);
        return measureShell(`age -d -i ${keyFile} ${sealed} | zstd -q -d | tar -x -C ${theirs}`);
      },
    },
    turns,
    goal: 0.9,
  });
  await run("diff", ["-r", ours, tree]);
  for (const directory of [ours, theirs]) await rm(directory, { recursive: true });
}

/** One file of 4 KB, whose entry is known from the catalogue as whoever restores it has it before their eyes; then by its name alone. */
async function picking({ scratch, keyFile, turns }: Bench, tree: string): Promise<void> {
  const directory = join(scratch, "artifact");
  const sealed = join(directory, "backup.tar.zst.enc");
  const identity = (await readFile(keyFile, "utf8")).trim();
  const expected = await readFile(join(tree, "one-small-file"));
  const { size } = await stat(sealed);
  const share = (bytes: number) => `${bytes} bytes read, ${((100 * bytes) / size).toFixed(2)} % of the artifact`;
  const { entry } = await countedFind(directory, identity, "one-small-file");
  let bytesRead = 0;
  await takeTurns({
    ours: {
      name: "open, and pick one file of 4 KB",
      async run() {
        const start = performance.now();
        for (let pick = 0; pick < picksInTurn; pick++) {
          const picked = await countedPick(directory, identity, entry);
          bytesRead = picked.bytesRead;
          if (!expected.equals(picked.content)) throw new Error("the file that was picked is another one");
        }
        const seconds = (performance.now() - start) / 1000 / picksInTurn;
        return { seconds, peakMB: process.memoryUsage().rss / 1e6 };
      },
    },
    theirs: {
      name: "age -d | zstd -d | tar -xO",
      run: () => measureShell(`age -d -i ${keyFile} ${sealed} | zstd -q -d | tar -xO one-small-file`),
    },
    turns,
    goal: 1 / 50,
  });
  judge(share(bytesRead), bytesRead / size < 0.005, "less than 0.5 %");
  const start = performance.now();
  const found = await countedFind(directory, identity, "one-small-file");
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(`(to find it by its name alone: ${seconds.toFixed(3)} s more, ${share(found.bytesRead)})\n`);
  const out = join(scratch, "one.tar");
  const args = ["artifact", "extract", directory, "one-small-file", "--key", keyFile, "--tar", "--out", out];
  const command = await measure(program, args);
  await rm(out);
  process.stdout.write(`(all of it as a command, with the start of Node: ${command.seconds.toFixed(2)} s)\n\n`);
}

/** The age payload as it is written, against nothing but the cipher on the same chunks. */
async function encrypting({ turns }: Bench): Promise<void> {
  const plain = randomBytes(4_194_304);
  const frames = 64;
  const key = randomBytes(32);
  const prepared = createSecretKey(key);
  const shares: number[] = [];
  for (let turn = 0; turn <= turns; turn++) {
    const bare = rate(plain.length * frames, () => {
      for (let frame = 0, index = 0; frame < frames; frame++)
        for (let at = 0; at < plain.length; at += chunkBytes, index++) {
          const cipher = createCipheriv("chacha20-poly1305", prepared, chunkNonce(index, false), {
            authTagLength: tagBytes,
          });
          const sealed = cipher.update(plain.subarray(at, at + chunkBytes));
          cipher.final();
          cipher.getAuthTag();
          sealed.buffer.transfer(0);
        }
    });
    const writer = new PayloadWriter(key, new Uint8Array(16), async () => {});
    const ours = rate(plain.length * frames, async () => {
      for (let frame = 0; frame < frames; frame++) await writer.write(plain);
      await writer.end();
    });
    const [bareMBs, oursMBs] = [await bare, await ours];
    if (turn > 0) shares.push(oursMBs / bareMBs);
    if (turn > 0)
      process.stdout.write(
        `turn ${turn}: payload ${oursMBs.toFixed(0)} MB/s, cipher alone ${bareMBs.toFixed(0)} MB/s\n`,
      );
  }
  const share = median(shares);
  judge(`the age payload reaches ${(100 * share).toFixed(0)} % of the cipher's rate`, share >= 0.85, "at least 85 %");
}

/** MB/s. */
async function rate(bytes: number, work: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return bytes / 1e6 / ((performance.now() - start) / 1000);
}
