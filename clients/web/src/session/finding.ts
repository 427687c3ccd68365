// Everything that is in the picture, and what is like an example.

import { create } from "@bufbuild/protobuf";
import { standing } from "../history";
import { keep, kept, token } from "../kept";
import { segment } from "../link";
import type { Link } from "../link";
import { ImageSchema } from "../wire/seem_pb";
import type { ObjectMask, SegmentKind, Timings } from "../wire/seem_pb";
import { maskOf, tell } from "./masks";
import { remember } from "./notes";
import { change, newThing } from "./objects";
import { prompt } from "./prompts";
import {
  COLOURS, active, busy, complain, example, frame, frames, history, live, masksNow, pending, picture, present, preview, say, segments,
  showSegments, things, video,
} from "./state";
import type { Segment } from "./state";
import { hashNow } from "./video";

export async function findEverything(names: readonly string[], kind: SegmentKind): Promise<void> {
  if (!picture.value || !live.link) return;
  const mine = live.link;
  const started = performance.now();
  busy.value = "Looking for everything …";
  pending.value++;
  try {
    const where = frame.value;
    const found = await (video.value ? inFrame(kind, names) : inPicture(mine, kind, names));
    if (!found || mine !== live.link || frame.value !== where) return;
    segments.value = found.list
      .filter((one) => one.rle && one.area > 0n)
      .map((one, index) => ({
        id: one.objectId,
        label: one.label ?? "something",
        probability: one.labelProbability ?? 0,
        colour: COLOURS[(index + 4) % COLOURS.length]!, // not those of the first objects
        mask: maskOf(one),
      }));
    showSegments.value = true;
    tell(found.timings, started, "everything");
    if (segments.value.length === 0) say("Nothing was found. Give other names, or none.");
  } catch (error) {
    complain(error);
  } finally {
    pending.value--;
    busy.value = "";
  }
}

interface Found {
  readonly list: readonly ObjectMask[];
  readonly timings: Timings | undefined;
}

async function inPicture(mine: Link, kind: SegmentKind, names: readonly string[]): Promise<Found | null> {
  const heard = await mine.ask({ case: "everything", value: { kind, vocabulary: [...names] } });
  return heard.case === "segments" ? { list: heard.value.segments, timings: heard.value.timings } : null;
}

/** Of a video the frame that is shown, as an image without a session. */
async function inFrame(kind: SegmentKind, names: readonly string[]): Promise<Found | null> {
  const blob = frames.value[frame.value];
  if (!blob) return null;
  const encoded = { case: "encoded" as const, value: new Uint8Array(await blob.arrayBuffer()) };
  const reply = await segment({ image: { source: encoded }, everything: { kind, vocabulary: [...names] } }, token());
  return { list: reply.objects, timings: reply.timings };
}

/** Makes objects of all that was found. */
export async function adoptAll(): Promise<void> {
  for (const one of segments.value) await adopt(one);
}

/** Shows one of the things that were found; null puts it away. */
export function point(one: Segment | null): void {
  preview.value = one && { mask: one.mask, negative: false };
}

/** Makes an object of something that was found. */
export async function adopt(one: Segment): Promise<void> {
  const unused = present.value.find((each) => !standing(history.value).has(each.id));
  const id = unused ? unused.id : newThing(one.label);
  change(id, { name: one.label });
  active.value = id;
  segments.value = segments.value.filter((each) => each !== one);
  await prompt({ kind: "mask" }, { mask: one.mask.rle }, id);
}

/** Remembers an object as an example of its kind, for this picture and others. */
export async function pickExample(objectId: number): Promise<void> {
  const mask = masksNow.value.get(objectId);
  const one = things.value.find((each) => each.id === objectId);
  if (!mask || !one || !live.link || !picture.value) return;
  const hash = video.value ? await hashNow() : picture.value.hash;
  const where = video.value ? `frame ${frame.value}` : live.file;
  const blob = await kept<Blob>(live.link.sessionId, where);
  if (!hash || !blob) return;
  await keep("examples", hash, blob);
  const { height, width, counts } = mask.rle;
  example.value = { name: one.name, from: picture.value.name, hash, session: "examples", file: hash, rle: { height, width, counts } };
  remember();
  say(`${one.name} is the example now: “Find alike” looks for more, here or in another picture.`);
}

export async function useExample(): Promise<void> {
  const shown = example.value;
  if (!shown) return;
  const blob = await kept<Blob>(shown.session, shown.file);
  const image = create(ImageSchema, {
    source: blob
      ? { case: "encoded", value: new Uint8Array(await blob.arrayBuffer()) }
      : { case: "contentHash", value: shown.hash },
  });
  const onItsOwn = masksNow.value.has(active.value) ? newThing(`like ${shown.name}`) : active.value;
  await prompt({ kind: "example", name: shown.name }, { example: { image, mask: shown.rle } }, onItsOwn);
}
