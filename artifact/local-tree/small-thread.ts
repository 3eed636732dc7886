// How the threads that read and write trees are started.

/**
 * With nothing of the environment, and little room for new objects (in MB): theirs are garbage as soon as they are made, and would be
 * kept by the ten.
 */
export const smallThread = { env: {}, execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 4 } };
