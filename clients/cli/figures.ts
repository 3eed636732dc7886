// How counts, sizes, times and foreign texts are written for people.

const units = ["kB", "MB", "GB", "TB", "PB", "EB"];

/** Three digits and a unit to the base of 1000, such as `48.1 MB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  // By what it rounds to: 999,999 bytes are 1.00 MB.
  const power = Math.floor(Math.log10(Number(bytes.toPrecision(3))) / 3);
  return `${threeDigits(bytes / 1000 ** power)} ${units[power - 1]}`;
}

function threeDigits(value: number): string {
  const [whole = ""] = value.toPrecision(3).split(".");
  return value.toFixed(Math.max(0, 3 - whole.length));
}

/** With commas between thousands. */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

/** `1 file`, `2 files`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** As a clock has it: `0:07`, `12:34`, `1:02:03`. */
export function clockText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = `${String(seconds % 60).padStart(2, "0")}`;
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** A span as one would say it: `0.4 s`, `12 s`, `3 min 20 s`. */
export function durationText(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** When a job is tried again, in `ms`: `next attempt in 25 s`. Null where that moment has come. */
export function nextAttemptText(ms: number): string | null {
  const seconds = Math.ceil(ms / 1000);
  if (seconds <= 0) return null;
  return `next attempt in ${seconds < 60 ? `${seconds} s` : durationText(seconds * 1000)}`;
}

/** A moment of the API to the minute, in UTC: `2026-03-01 12:00Z`. */
export function momentText(moment: string): string {
  return `${moment.slice(0, 10)} ${moment.slice(11, 16)}Z`;
}

/** Text that others chose, such as a file's name, without anything that a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "�");
}
