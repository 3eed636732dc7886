// The operations that GraphiQL opens with, one tab each.

/**
 * Each is valid against the public schema; what they need to be told stands in their variables. None has a name: right after a change
 * of tabs GraphiQL still asks for the name of the tab before.
 */
export const examples: readonly { readonly query: string; readonly variables?: string }[] = [
  {
    query: `# What is yours. Sign in above first, then press the play button.
query {
  viewer {
    email
    memberships {
      role
      tenant {
        id
        name
        sources(first: 10) { totalCount nodes { id name type } }
        jobs(first: 5) { nodes { id type status } }
      }
    }
  }
}
`,
  },
  {
    query: `# Begins a backup. A refusal is an answer with a message, not an error.
mutation ($sourceId: ID!) {
  startBackup(input: { sourceId: $sourceId }) {
    ... on StartBackupPayload { job { id status } }
    ... on Failure { code message }
  }
}
`,
    variables: JSON.stringify({ sourceId: "src_…" }, null, 2),
  },
  {
    query: `# A job, live: its present state first, then every step until it has ended.
subscription ($jobId: ID!) {
  jobProgressed(jobId: $jobId) {
    cursor
    job { id status }
    event { kind at }
    progress { phase filesDone bytesDone }
  }
}
`,
    variables: JSON.stringify({ jobId: "job_…" }, null, 2),
  },
];
