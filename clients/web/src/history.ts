// What was said so far, for drawing it: the server decides what stands, this keeps the marks beside it.
// The same rules as the server's: an entry for each change, to undo and to redo in all or along one object's own way; what
// was undone and then passed over by a new change can be redone for its object only, if that was let be.

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
  | { seq: number; kind: "clear"; of: readonly number[] };

/** `past`: something was said since it was undone. */
type Undone = Change & { readonly past?: boolean };

export interface History {
  readonly done: readonly Change[]; // in the order of their numbers
  readonly undone: readonly Undone[]; // in the order in which they were undone
}

export const EMPTY: History = { done: [], undone: [] };

const objectsOf = (change: Change): readonly number[] => (change.kind === "clear" ? (change.of ?? []) : [change.objectId]);

/** A change of these objects only; null where nothing is left of it. */
function only(change: Change, ids: readonly number[]): Change | null {
  if (ids.length === 0) return null;
  return change.kind === "clear" ? { ...change, of: ids } : change;
}

export function add(history: History, change: Change): History {
  const touched = objectsOf(change);
  const left = history.undone.flatMap((one): Undone[] => {
    const rest = only(one, objectsOf(one).filter((id) => !touched.includes(id)));
    return rest ? [{ ...rest, past: true }] : [];
  });
  return { done: [...history.done, change], undone: left };
}

/** Without a change that the server refused. */
export const without = (history: History, seq: number): History => ({
  ...history,
  done: history.done.filter((one) => one.seq !== seq),
});

/** What would be undone next, of all or of one object. */
export const lastDone = (history: History, id?: number): Change | undefined =>
  history.done.findLast((one) => id === undefined || objectsOf(one).includes(id));

/** What would be done again next. */
export function lastUndone(history: History, id?: number): Change | undefined {
  if (id !== undefined) return history.undone.findLast((one) => objectsOf(one).includes(id));
  const last = history.undone.at(-1);
  return last?.past ? undefined : last;
}

/** A list without a change, or without what it did to one object; and what was taken. */
function take(list: readonly Undone[], change: Change, id?: number): { left: Undone[]; taken: Change } {
  const { past: _, ...whole } = change as Undone;
  const taken = id === undefined ? (whole as Change) : only(whole as Change, [id])!;
  const rest = id === undefined ? null : only(change, objectsOf(change).filter((one) => one !== id));
  return { left: list.flatMap((one) => (one !== change ? [one] : rest ? [rest] : [])), taken };
}

export function undo(history: History, id?: number): History {
  const last = lastDone(history, id);
  if (last === undefined) return history;
  const { left, taken } = take(history.done, last, id);
  return { done: left, undone: [...history.undone, taken] };
}

export function redo(history: History, id?: number): History {
  const last = lastUndone(history, id);
  if (last === undefined) return history;
  const { left, taken } = take(history.undone, last, id);
  return { done: putIn(history.done, taken), undone: left };
}

/** In its place, together with what stayed of it. */
function putIn(done: readonly Change[], change: Change): Change[] {
  const there = done.find((one) => one.seq === change.seq);
  const whole = there ? only(change, [...objectsOf(there), ...objectsOf(change)])! : change;
  return [...done.filter((one) => one.seq < change.seq), whole, ...done.filter((one) => one.seq > change.seq)];
}

/** What was said of each object that stands, on one frame. */
export function marksOn(history: History, frame: number): Map<number, readonly Mark[]> {
  const standing = new Map<number, readonly Mark[]>();
  for (const change of history.done) {
    if (change.kind === "clear" || change.kind === "remove") for (const id of objectsOf(change)) standing.delete(id);
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
    if (change.kind === "clear" || change.kind === "remove") for (const id of objectsOf(change)) ids.delete(id);
    else ids.add(change.objectId);
  }
  return ids;
}

/** Objects that were removed, by name or all at once, and not spoken of since. */
export function removed(history: History): Set<number> {
  const gone = new Set<number>();
  for (const change of history.done) {
    if (change.kind === "clear" || change.kind === "remove") for (const id of objectsOf(change)) gone.add(id);
    else gone.delete(change.objectId);
  }
  return gone;
}
