// Cuts a stream into frames, compresses several at once, and hands them on in their order with bounded memory.
import { availableParallelism } from "node:os";
import { giveBack } from "../bytes.ts";
import { compressFrame } from "./compress.ts";
import type { FrameSize } from "./seek-table.ts";

/** A frame for every processor and one that waits for its turn to be handed on; libuv has four threads. */
const framesInFlight = Math.min(availableParallelism() + 1, 4);

export interface FrameWriterOptions {
  /** Plaintext of a full frame, in bytes. */
  readonly frameBytes: number;
  readonly level: number;
  /** Called with one frame after another. */
  readonly emit: (frame: Uint8Array) => Promise<void>;
  /** Called once where a frame cannot be made or handed on: nobody may be writing at that moment. */
  readonly fail: (error: unknown) => void;
}

export class FrameWriter implements Disposable {
  /** The frames handed on so far. */
  readonly frames: FrameSize[] = [];
  /** Plaintext taken so far: the position in the stream. */
  plainBytes = 0;
  readonly #options: FrameWriterOptions;
  /** Buffers that nothing is being compressed from. */
  readonly #idle: Buffer[] = [];
  #filling: Buffer | null = null;
  #used = 0;
  #inFlight = 0;
  /** Settles when every frame begun so far was handed on; it never rejects. */
  #handedOn: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => {};

  constructor(options: FrameWriterOptions) {
    this.#options = options;
  }

  /** Copies `bytes`. Answers a promise only where there is something to wait for, and is not to be called again before it resolved. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#used + bytes.length >= this.#options.frameBytes) return this.#writeAcross(bytes);
    this.#copy(bytes);
    return undefined;
  }

  /** Ends the frame in hand, if it holds anything. */
  async flush(): Promise<void> {
    const buffer = this.#filling;
    if (!buffer) return;
    await this.#room();
    const plainBytes = this.#used;
    this.#filling = null;
    this.#used = 0;
    this.#handOn(this.#compress(buffer, plainBytes), plainBytes, giveBack);
  }

  /** Takes a frame that is compressed already, behind everything written so far. */
  async append(frame: Uint8Array, plainBytes: number): Promise<void> {
    await this.flush();
    await this.#room();
    this.plainBytes += plainBytes;
    this.#handOn(Promise.resolve(frame), plainBytes);
  }

  /** Resolves when the last frame was handed on. */
  async end(): Promise<void> {
    await this.flush();
    await this.#handedOn;
    if (this.#failure) throw this.#failure.error;
  }

  /** May be called at any time; what was not handed on by then is lost. */
  [Symbol.dispose](): void {
    this.#failure ??= { error: new Error("the stream of frames was given up") };
  }

  async #writeAcross(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const taken = Math.min(this.#options.frameBytes - this.#used, bytes.length - at);
      this.#copy(bytes.subarray(at, at + taken));
      at += taken;
      if (this.#used === this.#options.frameBytes) await this.flush();
    }
  }

  #copy(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#filling ??= this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.#options.frameBytes);
    this.#filling.set(bytes, this.#used);
    this.#used += bytes.length;
    this.plainBytes += bytes.length;
  }

  async #compress(buffer: Buffer, plainBytes: number): Promise<Uint8Array> {
    const frame = await compressFrame(buffer.subarray(0, plainBytes), this.#options.level);
    this.#idle.push(buffer);
    return frame;
  }

  #handOn(compressed: Promise<Uint8Array>, plainBytes: number, done?: (frame: Uint8Array) => void): void {
    this.#inFlight += 1;
    this.#handedOn = Promise.all([compressed, this.#handedOn])
      .then(async ([frame]) => {
        if (this.#failure) return;
        await this.#options.emit(frame);
        this.frames.push({ storedBytes: frame.length, plainBytes });
        done?.(frame);
      })
      .catch((error: unknown) => {
        if (this.#failure) return;
        this.#failure = { error };
        this.#options.fail(error);
      })
      .finally(() => {
        this.#inFlight -= 1;
        this.#wake();
      });
  }

  async #room(): Promise<void> {
    while (this.#inFlight >= framesInFlight && !this.#failure) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    if (this.#failure) throw this.#failure.error;
  }
}
