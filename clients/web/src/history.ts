// What was said so far, for drawing it: the server decides what stands, this keeps the marks beside it.
// The same rules as the server's: an entry for each change; a new one leaves nothing to redo.

import type { Spot } from "./view";

export type Mark =
  | { kind: "point"; at: Spot; negative: boolean }
  | { kind: "box"; from: Spot; to: Spot; negative: boolean }
  | { kind: "scribble" | "lasso"; line: Spot[]; negative: boolean }
  | { kind: "text"; text: string }
  | { kind: "mask" }
  | { kind: "example"; name: string };

export type Change =
  | { seq: number; kind: "prompt"; objectId: number; frame: number; marks: readonly Mark[] }
  | { seq: number; kind: "choose"; objectId: number }
  | { seq: number; kind: "remove"; objectId: number }
  | { seq: number; kind: "clear" };

export interface History {
  readonly done: readonly Change[];
  readonly undone: readonly Change[];
}

export const EMPTY: History = { done: [], undone: [] };

export const add = (history: History, change: Change): History => ({
  done: [...history.done, change],
  undone: [],
});

/** Without a change that the server refused. */
export const without = (history: History, seq: number): History => ({
  ...history,
  done: history.done.filter((one) => one.seq !== seq),
});

export function undo(history: History): History {
  const last = history.done.at(-1);
  if (last === undefined) return history;
  return { done: history.done.slice(0, -1), undone: [...history.undone, last] };
}

export function redo(history: History): History {
  const last = history.undone.at(-1);
  if (last === undefined) return history;
  return { done: [...history.done, last], undone: history.undone.slice(0, -1) };
}

/** What was said of each object that stands, on one frame. */
export function marksOn(history: History, frame: number): Map<number, readonly Mark[]> {
  const standing = new Map<number, readonly Mark[]>();
  for (const change of history.done) {
    if (change.kind === "clear") standing.clear();
    else if (change.kind === "remove") standing.delete(change.objectId);
    else if (change.kind === "prompt" && change.frame === frame) {
      const before = standing.get(change.objectId) ?? [];
      const replaced = change.marks.some((mark) => mark.kind === "box" && !mark.negative)
        ? before.filter((mark) => mark.kind !== "box" || mark.negative)
        : before;
      standing.set(change.objectId, [...replaced, ...change.marks]);
    }
  }
  return standing;
}

/** Objects of which something stands. */
export function standing(history: History): Set<number> {
  const ids = new Set<number>();
  for (const change of history.done) {
    if (change.kind === "clear") ids.clear();
    else if (change.kind === "remove") ids.delete(change.objectId);
    else ids.add(change.objectId);
  }
  return ids;
}

/** Objects that were removed, by name or all at once, and not spoken of since. */
export function removed(history: History): Set<number> {
  const spoken = new Set<number>();
  const gone = new Set<number>();
  for (const change of history.done) {
    if (change.kind === "clear") for (const id of spoken) gone.add(id);
    else if (change.kind === "remove") gone.add(change.objectId);
    else {
      spoken.add(change.objectId);
      gone.delete(change.objectId);
    }
  }
  return gone;
}
