// The masks of each frame, as the server tells them.

import { standing } from "../history";
import { keep } from "../kept";
import { pathOf, trace } from "../outline";
import { decode } from "../rle";
import type { Hypothesis, Masks, Rle, Timings } from "../wire/seem_pb";
import { thing } from "./objects";
import { history, latency, live, masks, things, video } from "./state";
import type { Mask, Thing } from "./state";

const followed = new Map<string, Mask>(); // by frame and object: where it was followed to, beside corrections

/** Of another picture now. */
export const forgetFollowed = (): void => followed.clear();

export function take(value: Masks): void {
  const where = value.frame ?? 0;
  show(value.objects, where);
  for (const id of value.removedObjectIds) fallBack(id, where);
}

/** What a correction was undone of has the mask that it was followed to, as long as anything is said of the object. */
function fallBack(id: number, where: number): void {
  const before = followed.get(`${where} ${id}`);
  if (!standing(history.value).has(id)) drop([id]);
  else if (before) masks.value = new Map(masks.value).set(where, new Map(masks.value.get(where)).set(id, before));
  else masks.value = new Map(masks.value).set(where, new Map([...(masks.value.get(where) ?? [])].filter(([one]) => one !== id)));
  if (video.value) keepMasks(where);
}

export function show(objects: readonly Told[], where: number, keeping = true): void {
  const now = new Map(masks.value.get(where));
  const fresh: Thing[] = [];
  for (const one of objects) {
    const mask = maskOf(one);
    now.set(one.objectId, mask);
    if (one.round === 0) followed.set(`${where} ${one.objectId}`, mask);
    if (!things.value.some((each) => each.id === one.objectId)) fresh.push(thing(one.objectId));
  }
  if (fresh.length) things.value = [...things.value, ...fresh];
  masks.value = new Map(masks.value).set(where, now);
  if (keeping && video.value) keepMasks(where);
}

function keepMasks(where: number): void {
  if (!live.link?.sessionId) return;
  const objects = [...(masks.value.get(where) ?? [])].map(([objectId, { rle, score, area, label, box }]) => {
    const [x0, y0, x1, y1] = box ?? [];
    return { objectId, rle, score, area, label, ...(box && { box: { x0, y0, x1, y1 } }) };
  });
  void keep(live.link.sessionId, `masks ${where}`, { objects });
}

export function drop(ids: readonly number[]): void {
  const left = new Map(masks.value);
  for (const [index, known] of left) {
    left.set(index, new Map([...known].filter(([id]) => !ids.includes(id))));
  }
  masks.value = left;
}

/** What is told of an object. */
export type Told = Drawn & { readonly objectId: number };

/** What a mask is drawn from: an object's reply, a reading, or what was kept of one. */
export interface Drawn {
  readonly rle?: Rle | undefined;
  readonly score: number;
  readonly area: bigint | number;
  readonly box?: { x0: number; y0: number; x1: number; y1: number } | undefined;
  readonly label?: string | undefined;
  readonly labelProbability?: number | undefined;
  readonly hypotheses?: readonly Hypothesis[];
  readonly round?: number;
}

export function maskOf(one: Drawn): Mask {
  const rle = one.rle!;
  const loops = trace(decode(rle.counts, rle.height, rle.width), rle.height, rle.width);
  const box = one.box;
  return {
    rle,
    loops,
    path: pathOf(loops),
    score: one.score,
    area: Number(one.area),
    label: one.label ?? "",
    labelProbability: one.labelProbability ?? 0,
    box: box ? [box.x0, box.y0, box.x1, box.y1] : null,
    readings: one.hypotheses ?? [],
  };
}

export function tell(timings: Timings | undefined, started: number, what: string): void {
  latency.value = { server: timings?.totalMs ?? 0, total: performance.now() - started, what, timings };
}
