// Exports: COCO JSON with run lengths, polygons, indexed PNG; for a video all of its frames.

import { area } from "./outline";
import type { Loop } from "./outline";
import { indexedPng, zip } from "./files";
import { decode } from "./rle";
import * as session from "./session/index";

interface Kept {
  readonly thing: session.Thing;
  readonly mask: session.Mask;
}

const stem = (name: string): string => name.replace(/\.[^.]+$/, "").replace(/[^\w.-]+/g, "_") || "picture";

/** What stands on a frame, hidden or not. */
function on(frame: number): Kept[] {
  const known = session.masks.value.get(frame) ?? new Map<number, session.Mask>();
  return session.present.value.flatMap((thing) => {
    const mask = known.get(thing.id);
    return mask && mask.area > 0 ? [{ thing, mask }] : [];
  });
}

/** What a thing is called, the same in all frames: by whoever named it, else by the model. */
function called(thing: session.Thing): string {
  if (thing.name && thing.name !== session.thing(thing.id).name) return thing.name;
  const labels = indices().map((index) => session.masks.value.get(index)?.get(thing.id)?.label);
  return labels.find(Boolean) ?? thing.name;
}

const indices = (): number[] =>
  session.video.value ? session.frames.value.map((_, index) => index) : [0];

const nameOf = (index: number): string =>
  session.video.value ? `${String(index).padStart(5, "0")}.jpg` : (session.picture.value?.name ?? "picture");

/** COCO, as `seem evaluate` and pycocotools read it; a video's frames carry their number, its objects a track. */
export function coco(): string {
  const shown = session.picture.value!;
  const categories: { id: number; name: string }[] = [];
  const annotations: object[] = [];
  const images = indices().map((index) => ({
    id: index + 1,
    file_name: nameOf(index),
    width: shown.width,
    height: shown.height,
    ...(session.video.value && { video: session.video.value.name, frame_index: index }),
  }));
  for (const index of indices()) {
    for (const { thing, mask } of on(index)) {
      const name = called(thing);
      let category = categories.find((one) => one.name === name);
      if (!category) categories.push((category = { id: categories.length + 1, name }));
      const [x0, y0, x1, y1] = mask.box ?? [0, 0, 0, 0];
      annotations.push({
        id: annotations.length + 1,
        image_id: index + 1,
        category_id: category.id,
        segmentation: { size: [mask.rle.height, mask.rle.width], counts: mask.rle.counts },
        bbox: [x0, y0, x1 - x0, y1 - y0],
        area: mask.area,
        iscrowd: 0,
        score: mask.score,
        ...(session.video.value && { track_id: thing.id }),
      });
    }
  }
  return JSON.stringify({ images, categories, annotations }, null, 1);
}

/** Each object's outlines along pixel edges: outer loops with the holes that lie in them. */
export function polygons(): string {
  const shown = session.picture.value!;
  const files = indices().map((index) => ({
    file_name: nameOf(index),
    width: shown.width,
    height: shown.height,
    objects: on(index).map(({ thing, mask }) => ({
      object_id: thing.id,
      name: called(thing),
      polygons: mask.loops.filter((loop) => area(loop) > 0).map((outer) => ({
        outline: pairs(outer),
        holes: mask.loops.filter((loop) => area(loop) < 0 && isWithin(loop, outer, mask.loops)).map(pairs),
      })),
    })),
  }));
  return JSON.stringify(session.video.value ? { video: session.video.value.name, frames: files } : files[0], null, 1);
}

const pairs = (loop: Loop): [number, number][] =>
  Array.from({ length: loop.length / 2 }, (_, at) => [loop[2 * at]!, loop[2 * at + 1]!]);

/** Whether `outer` is the smallest outer loop around `hole`. */
function isWithin(hole: Loop, outer: Loop, all: Loop[]): boolean {
  const around = all.filter((loop) => area(loop) > 0 && holds(loop, hole));
  around.sort((a, b) => area(a) - area(b));
  return around[0] === outer;
}

/** Whether a loop goes around a hole: even-odd rule, for a spot just within the hole beside its first edge. */
function holds(loop: Loop, hole: Loop): boolean {
  const x = (hole[0]! + hole[2]!) / 2 + 0.25 * Math.sign(hole[3]! - hole[1]!);
  const y = (hole[1]! + hole[3]!) / 2 + 0.25 * Math.sign(hole[2]! - hole[0]!);
  let inside = false;
  for (let i = 0; i < loop.length; i += 2) {
    const j = (i + 2) % loop.length;
    const crosses = loop[i + 1]! > y !== loop[j + 1]! > y;
    if (crosses && x < ((loop[j]! - loop[i]!) * (y - loop[i + 1]!)) / (loop[j + 1]! - loop[i + 1]!) + loop[i]!) {
      inside = !inside;
    }
  }
  return inside;
}

/** Pixel = object id; where objects overlap the lower one. */
function ids(index: number): Uint8Array {
  const shown = session.picture.value!;
  const pixels = new Uint8Array(shown.width * shown.height);
  for (const { thing, mask } of on(index).reverse()) {
    const inside = decode(mask.rle.counts, mask.rle.height, mask.rle.width);
    for (let at = 0; at < inside.length; at++) if (inside[at]) pixels[at] = thing.id;
  }
  return pixels;
}

export async function png(): Promise<Blob> {
  const shown = session.picture.value!;
  if (!session.video.value) {
    return new Blob([await indexedPng(ids(0), shown.height, shown.width)], { type: "image/png" });
  }
  const files = [];
  for (const index of indices()) {
    const bytes = await indexedPng(ids(index), shown.height, shown.width);
    files.push({ name: nameOf(index).replace(/jpg$/, "png"), bytes });
  }
  return new Blob([zip(files)], { type: "application/zip" });
}

export async function save(kind: "coco" | "polygons" | "png"): Promise<void> {
  const shown = session.picture.value;
  if (!shown || indices().every((index) => on(index).length === 0)) {
    session.say("There is no mask to save yet: click on something first.", true);
    return;
  }
  const most = Math.max(...session.present.value.map((one) => one.id));
  if (kind === "png" && most > 255) {
    session.say("An indexed PNG has room for 255 objects, and one here has a higher number. Save COCO or polygons.", true);
    return;
  }
  const title = stem(session.video.value?.name ?? shown.name);
  if (kind === "png") download(await png(), `${title}-masks.${session.video.value ? "zip" : "png"}`);
  else {
    const text = kind === "coco" ? coco() : polygons();
    download(new Blob([text], { type: "application/json" }), `${title}-${kind}.json`);
  }
}

function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  session.say(`Saved ${name}.`);
}
