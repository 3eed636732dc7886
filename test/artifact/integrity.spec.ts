// Whatever happens to stored bytes by chance is found, with a key and without, and nothing comes out that was not sealed.
import { randomInt } from "node:crypto";
import { before, describe, it } from "node:test";
import { fileNames } from "#artifact/node";
import { type Random, seededRandom } from "./random.ts";
import { noise } from "./sealing.ts";
import { assertFound, fileOf, sealTruth, storageWith, type Truth } from "./truth.ts";

const names = Object.values(fileNames);
const storedChunkBytes = 65_552;
/** Another one every time; a failure tells which. */
const seed = randomInt(2 ** 32);

describe("an artifact", () => {
  let truth: Truth;
  before(async () => {
    truth = await sealTruth();
  });

  it("hides no flipped bit, in 500 tries", async () => {
    const random = seededRandom(seed);
    for (let turn = 0; turn < 500; turn++) {
      const name = random.pick(names);
      const flipped = Buffer.from(fileOf(truth, name));
      const [place, bit] = [random.below(flipped.length), random.below(8)];
      flipped[place] = (flipped[place] ?? 0) ^ (1 << bit);
      const told = `seed ${seed}, turn ${turn}: bit ${bit} of byte ${place} in ${name}`;
      await assertFound(truth, storageWith(truth, [[name, flipped]]), told);
    }
  });

  it("hides nothing that was cut off, cut out, put in or moved, in 200 tries", async () => {
    const random = seededRandom(seed);
    for (let turn = 0; turn < 200; ) {
      const name = random.pick(names);
      const whole = fileOf(truth, name);
      const { how, changed } = reshaped(whole, random);
      if (changed.equals(whole)) continue;
      const told = `seed ${seed}, turn ${turn}: ${name} ${how}`;
      await assertFound(truth, storageWith(truth, [[name, changed]]), told);
      turn += 1;
    }
  });

  it("has no file that another snapshot's could stand in for, nor any number of them", async () => {
    const other = await sealTruth("n2");
    for (let picked = 1; picked < 2 ** names.length; picked++) {
      const swapped = names.filter((_, index) => picked & (1 << index));
      const storage = storageWith(
        truth,
        swapped.map((name) => [name, fileOf(other, name)]),
      );
      await assertFound(truth, storage, `of another snapshot: ${swapped.join(", ")}`);
    }
  });
});

/** Makes a file longer, shorter or another, in one of six ways. */
function reshaped(whole: Buffer, random: Random): { how: string; changed: Buffer } {
  const at = random.below(whole.length);
  const length = 1 + random.below(whole.length - at);
  const [front, part, back] = [whole.subarray(0, at), whole.subarray(at, at + length), whole.subarray(at + length)];
  const first = storedChunkBytes * random.below(Math.ceil(whole.length / storedChunkBytes));
  const chunk = whole.subarray(first, first + storedChunkBytes);
  switch (random.below(6)) {
    case 0:
      return { how: `cut off at ${at}`, changed: front };
    case 1:
      return { how: `with ${length} bytes behind it`, changed: Buffer.concat([whole, noise(length)]) };
    case 2:
      return { how: `without ${length} bytes at ${at}`, changed: Buffer.concat([front, back]) };
    case 3:
      return { how: `with ${length} bytes at ${at} twice`, changed: Buffer.concat([front, part, part, back]) };
    case 4:
      return { how: `with the chunk at ${first} again at ${at}`, changed: Buffer.concat([front, chunk, part, back]) };
    default:
      return { how: `with its halves at ${at} swapped`, changed: Buffer.concat([part, back, front]) };
  }
}
