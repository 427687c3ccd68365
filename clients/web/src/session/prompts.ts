// What is said of objects, and taken back.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { add, lastDone, lastUndone, redo, standing, undo, without } from "../history";
import type { Mark } from "../history";
import type { Say } from "../link";
import type { Spot } from "../view";
import type { Hypothesis, ObjectPromptSchema } from "../wire/seem_pb";
import { stopLookingAhead } from "./ahead";
import { drop, maskOf, take, tell } from "./masks";
import { remember } from "./notes";
import { change, stillThere } from "./objects";
import { active, canUndo, complain, frame, history, live, masksNow, pending, picture, preview, say, things, video } from "./state";
import type { Mask } from "./state";

export type ObjectPrompt = Exclude<MessageInitShape<typeof ObjectPromptSchema>, { $typeName: string }>;

/** What a mark is on the wire. */
export function spoken(mark: Mark): ObjectPrompt {
  switch (mark.kind) {
    case "point":
      return { points: [{ ...mark.at, negative: mark.negative }] };
    case "box": {
      const box = {
        x0: Math.min(mark.from.x, mark.to.x),
        y0: Math.min(mark.from.y, mark.to.y),
        x1: Math.max(mark.from.x, mark.to.x),
        y1: Math.max(mark.from.y, mark.to.y),
      };
      return mark.negative ? { negativeBoxes: [box] } : { box };
    }
    case "scribble":
      return { scribbles: [{ xy: flat(mark.line), negative: mark.negative }] };
    case "lasso":
      return { lassos: [{ xy: flat(mark.line), negative: mark.negative }] };
    case "text":
      return { text: mark.text };
    default:
      return {};
  }
}

const flat = (line: readonly Spot[]): number[] => line.flatMap(({ x, y }) => [x, y]);

/** Says something about the active object. */
export async function prompt(mark: Mark, more: ObjectPrompt = {}, objectId = active.value): Promise<void> {
  const one = things.value.find((each) => each.id === objectId);
  if (!picture.value || !live.link || !one) return;
  if (isLocked(objectId)) return;
  stopLookingAhead();
  if (one.hidden) change(objectId, { hidden: false });
  const first = !masksNow.value.has(objectId);
  const where = frame.value;
  const value = {
    objects: [{ objectId, ...spoken(mark), ...more }],
    hypotheses: first && !video.value,
    ...(video.value && { frame: where }),
  };
  const { seq, done } = send({ case: "prompt", value }, mark.kind);
  history.value = add(history.value, { seq, kind: "prompt", objectId, frame: where, marks: [mark] });
  await done;
}

const readings = new WeakMap<Hypothesis, Mask>();

/** A reading's mask, traced once. */
export function maskOfReading(reading: Hypothesis): Mask {
  const known = readings.get(reading) ?? maskOf(reading);
  readings.set(reading, known);
  return known;
}

/** Shows one of the things that a click may have meant; null puts it away. */
export function consider(reading: Hypothesis | null): void {
  stopLookingAhead();
  if (reading?.rle) preview.value = { mask: maskOfReading(reading), negative: false };
}

export async function choose(objectId: number, hypothesis: number): Promise<void> {
  stopLookingAhead();
  const { seq, done } = send({ case: "choose", value: { objectId, hypothesis } }, "choice");
  history.value = add(history.value, { seq, kind: "choose", objectId });
  await done;
}

export async function remove(objectId: number): Promise<void> {
  const one = things.value.find((each) => each.id === objectId);
  if (!one) return;
  if (isLocked(objectId)) return;
  if (!standing(history.value).has(objectId)) {
    things.value = things.value.filter((each) => each.id !== objectId);
    stillThere();
    return;
  }
  const { seq, done } = send({ case: "removeObject", value: { objectId } }, "removal");
  history.value = add(history.value, { seq, kind: "remove", objectId });
  drop([objectId]);
  stillThere();
  await done;
}

export async function clear(): Promise<void> {
  if (!canUndo.value) return;
  const { seq, done } = send({ case: "clear", value: {} }, "clear");
  history.value = add(history.value, { seq, kind: "clear", of: [...standing(history.value)] });
  drop(things.value.map((one) => one.id));
  stillThere();
  await done;
}

/** Undoes what came last, of all or of one object. */
export async function takeBack(objectId?: number): Promise<void> {
  const last = lastDone(history.value, objectId);
  if (!last || isLocked(objectId)) return;
  const { done } = send({ case: "undo", value: of(objectId) }, "undo");
  history.value = undo(history.value, objectId);
  if (last.kind !== "clear") active.value = last.objectId;
  await done;
  stillThere();
}

/** Does again what was undone last, of all or of one object. */
export async function doAgain(objectId?: number): Promise<void> {
  const last = lastUndone(history.value, objectId);
  if (!last || isLocked(objectId)) return;
  const { done } = send({ case: "redo", value: of(objectId) }, "redo");
  history.value = redo(history.value, objectId);
  if (last.kind === "clear") drop(objectId === undefined ? last.of : [objectId]);
  else {
    active.value = last.objectId;
    if (last.kind === "remove") drop([last.objectId]);
  }
  await done;
  stillThere();
}

/** Whether an object must be let be, which is then told. */
function isLocked(objectId: number | undefined): boolean {
  const one = things.value.find((each) => each.id === objectId);
  if (one?.locked) say(`${one.name} is locked. Unlock it in the list, or choose another object.`, true);
  return one?.locked ?? false;
}

const of = (objectId?: number) => (objectId === undefined ? {} : { objectId });

/** Sends a command that changes masks; its marks go if it is refused. */
function send(kind: Say, what: string): { seq: number; done: Promise<void> } {
  const mine = live.link!;
  const started = performance.now();
  const before = history.value;
  pending.value++;
  const { seq, reply } = mine.tell(kind);
  const done = reply
    .then((heard) => {
      if (mine !== live.link || heard.case !== "masks") return;
      take(heard.value);
      tell(heard.value.timings, started, what);
    })
    .catch((error: unknown) => {
      if (mine !== live.link) return;
      history.value = what === "undo" || what === "redo" ? before : without(history.value, seq);
      complain(error);
    })
    .finally(() => {
      pending.value--;
      remember();
    });
  return { seq, done };
}
