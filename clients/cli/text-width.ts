// Fits text into the columns of a terminal.

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
const wide =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}])/u;

/** How many columns the text takes, which is all but exact: terminals disagree on rare characters. */
export function textWidth(text: string): number {
  return graphemes(text).reduce((columns, grapheme) => columns + widthOf(grapheme), 0);
}

/** The beginning of the text, with `…` where something was cut off. */
export function keepStart(text: string, columns: number): string {
  return textWidth(text) <= columns ? text : `${fitting(graphemes(text), columns - 1)}…`;
}

/** The end of the text, with `…` where something was cut off. */
export function keepEnd(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  const backwards = graphemes(text).reverse();
  return `…${graphemes(fitting(backwards, columns - 1))
    .reverse()
    .join("")}`;
}

function fitting(parts: readonly string[], columns: number): string {
  let used = 0;
  const cut = parts.findIndex((part) => {
    used += widthOf(part);
    return used > columns;
  });
  return parts.slice(0, cut === -1 ? undefined : cut).join("");
}

function widthOf(grapheme: string): number {
  return wide.test(grapheme) ? 2 : 1;
}

function graphemes(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}
