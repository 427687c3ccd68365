// What is said of objects, and taken back.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { add, redo, standing, undo, without } from "../history";
import type { Mark } from "../history";
import type { Say } from "../link";
import type { Spot } from "../view";
import type { Hypothesis, ObjectPromptSchema } from "../wire/seem_pb";
import { stopLookingAhead } from "./ahead";
import { drop, maskOf, take, tell } from "./masks";
import { remember } from "./notes";
import { change, stillThere } from "./objects";
import { active, canRedo, canUndo, complain, frame, history, live, masksNow, pending, picture, preview, say, things, video } from "./state";

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
  if (one.locked) {
    say(`${one.name} is locked. Unlock it in the list, or choose another object.`, true);
    return;
  }
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

/** Shows one of the things that a click may have meant; null puts it away. */
export function consider(reading: Hypothesis | null): void {
  stopLookingAhead();
  if (reading?.rle) preview.value = { mask: maskOf(reading), negative: false };
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
  if (one.locked) {
    say(`${one.name} is locked. Unlock it in the list first.`, true);
    return;
  }
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
  history.value = add(history.value, { seq, kind: "clear" });
  drop(things.value.map((one) => one.id));
  stillThere();
  await done;
}

export async function takeBack(): Promise<void> {
  if (!canUndo.value) return;
  const last = history.value.done.at(-1)!;
  const { done } = send({ case: "undo", value: {} }, "undo");
  history.value = undo(history.value);
  if ("objectId" in last) active.value = last.objectId;
  await done;
  stillThere();
}

export async function doAgain(): Promise<void> {
  if (!canRedo.value) return;
  const last = history.value.undone.at(-1)!;
  const { done } = send({ case: "redo", value: {} }, "redo");
  history.value = redo(history.value);
  if ("objectId" in last) active.value = last.objectId;
  if (last.kind === "remove") drop([last.objectId]);
  if (last.kind === "clear") drop(things.value.map((one) => one.id));
  await done;
  stillThere();
}

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
