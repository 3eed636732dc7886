// How a process that moves data is started so that it stays small: Node and the allocator would rather spend memory than time.

/**
 * Set from outside, because both are read before the first line of ours runs. Without the first, the heap for new objects grows to
 * 48 MB under any load; without the second, every thread that allocates gets an arena of its own, which keeps what it once had.
 */
export const leanProcess = { NODE_OPTIONS: "--max-semi-space-size=4", MALLOC_ARENA_MAX: "2" } as const;
