// What is annotated: the image or video, its objects, their masks, and everything that can be done to them.

import { computed, signal } from "@preact/signals";
import { create } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ImageSchema, SegmentKind } from "./wire/seem_pb";
import type { Hypothesis, Masks, ModelCard, ObjectMask, ObjectPromptSchema, Rle, Timings } from "./wire/seem_pb";
import { EMPTY, add, redo, removed, standing, undo, without } from "./history";
import type { History, Mark } from "./history";
import { Link, Refused, segment } from "./link";
import type { LinkState, Say } from "./link";
import { forget, keep, keepToken, kept, note, noteNothing, noted, token } from "./kept";
import { decode } from "./rle";
import { pathOf, trace } from "./outline";
import type { Loop } from "./outline";
import type { Spot } from "./view";
import { readVideo } from "./frames";

export interface Mask {
  readonly rle: Rle;
  readonly loops: Loop[];
  readonly path: Path2D;
  readonly score: number;
  readonly area: number;
  readonly label: string;
  readonly labelProbability: number;
  readonly box: [number, number, number, number] | null;
  readonly readings: readonly Hypothesis[]; // what it may have meant
}

export interface Thing {
  readonly id: number;
  readonly name: string;
  readonly colour: string;
  readonly hidden: boolean;
  readonly locked: boolean;
}

export interface Picture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly bitmap: ImageBitmap;
  readonly hash: string;
}

export interface Segment {
  readonly id: number;
  readonly label: string;
  readonly probability: number;
  readonly colour: string;
  readonly mask: Mask;
}

export interface Shown {
  readonly name: string;
  readonly hash: string;
  readonly session: string;
  readonly file: string; // where the picture's bytes are kept
  readonly rle: { height: number; width: number; counts: string };
}

export type Notice = { readonly text: string; readonly bad: boolean; readonly id: number };

export const COLOURS = [
  "#4cc9f0", "#f72585", "#ffd166", "#80ed99", "#b388ff", "#ff9f1c", "#2ec4b6", "#ff6b6b", "#a0c4ff", "#e9ff70",
];
const AHEAD = 16; // frames asked for beyond the one that is awaited

export const link = signal<LinkState>("connecting");
export const linkWhy = signal("");
export const model = signal<ModelCard | null>(null);
export const picture = signal<Picture | null>(null);
export const busy = signal("");
export const things = signal<readonly Thing[]>([]);
export const active = signal(1);
export const history = signal<History>(EMPTY);
export const frame = signal(0);
export const masks = signal<ReadonlyMap<number, ReadonlyMap<number, Mask>>>(new Map());
export const segments = signal<readonly Segment[]>([]);
export const showSegments = signal(true);
export const preview = signal<{ mask: Mask; negative: boolean } | null>(null);
export const notice = signal<Notice | null>(null);
export const latency = signal<{ server: number; total: number; what: string; timings: Timings | undefined } | null>(null);
export const example = signal<Shown | null>(null);
export const frames = signal<readonly Blob[]>([]); // of a video; empty for an image
export const video = signal<{ name: string; fps: number; total: number } | null>(null);
export const following = signal<{ done: number; of: number } | null>(null);
export const pending = signal(0);

export const masksNow = computed(() => masks.value.get(frame.value) ?? new Map<number, Mask>());
export const present = computed(() => {
  const gone = removed(history.value);
  return things.value.filter((thing) => !gone.has(thing.id));
});
export const canUndo = computed(() => history.value.done.length > 0);
export const canRedo = computed(() => history.value.undone.length > 0);
export const limits = computed(() => model.value?.capabilities?.limits);
export const offers = (what: string): boolean => {
  const capabilities = model.value?.capabilities;
  return !capabilities || capabilities.prompts.includes(what) || capabilities.commands.includes(what);
};

let current: Link | null = null;
let file = ""; // under which name the picture's bytes are kept
let lookingAhead: AbortController | null = null;
let notices = 0;
const followed = new Map<string, Mask>(); // by frame and object: where it was followed to, beside corrections
let untouched = false; // a session about images that has none yet

// ------------------------------------------------------------------------------------------------ telling

export function say(text: string, bad = false): void {
  notice.value = { text, bad, id: ++notices };
}

function complain(error: unknown): void {
  if (error instanceof Refused && error.code === "LEFT") return;
  say(error instanceof Error ? error.message : String(error), true);
}

// ------------------------------------------------------------------------------------------------ sessions

interface Note {
  sessionId: string;
  seq: number;
  name: string;
  file: string;
  hash: string;
  active: number;
  frame: number;
  things: readonly Thing[];
  history: History;
  video: { name: string; fps: number; total: number } | null;
}

/** Writes down what a reload needs. */
export function remember(): void {
  if (!current?.sessionId || !picture.value) return;
  const value: Note = {
    sessionId: current.sessionId,
    seq: Number(current.seq),
    name: picture.value.name,
    hash: picture.value.hash,
    file,
    active: active.value,
    frame: frame.value,
    things: things.value,
    history: history.value,
    video: video.value,
  };
  note(value);
}

function newLink(sessionId = "", seq = 0n, wantMasks = false): Link {
  const ears = {
    state(state: LinkState, why = "") {
      link.value = state;
      if (state === "open") linkWhy.value = "";
      else if (why) linkWhy.value = why;
    },
    attached(value: { model?: ModelCard | undefined; objects: ObjectMask[] }) {
      model.value = value.model ?? null;
      if (value.objects.length && !video.value) show(value.objects, 0);
    },
    gone(why: string) {
      void startAgain(why);
    },
  };
  return new Link(ears, token, sessionId, seq, wantMasks);
}

/** A connection without a picture yet, so that the page knows whom it talks to. */
export function meet(): void {
  const before = noted<Note>();
  if (before?.sessionId) void resume(before);
  else open("image");
}

function open(subject: "image" | "video"): void {
  const before = current;
  if (before && untouched && subject === "image") return; // nothing was said in it yet
  if (before?.sessionId) {
    void forget(before.sessionId);
    before.ask({ case: "release", value: {} }).catch(() => undefined);
  }
  before?.leave();
  noteNothing();
  untouched = subject === "image";
  current = newLink();
  current.connect();
  const opened = subject === "image" ? { case: "image" as const, value: {} } : { case: "video" as const, value: {} };
  current
    .ask({ case: "open", value: { client: "seem-web", subject: opened } })
    .then((kind) => {
      if (kind.case === "opened") model.value = kind.value.model ?? null;
    })
    .catch(complain);
}

/** After the token was given, or to take the session back from another page. */
export function connectAgain(newToken?: string): void {
  if (newToken !== undefined) keepToken(newToken);
  current?.connect();
}

function begin(): void {
  things.value = [thing(1)];
  active.value = 1;
  history.value = EMPTY;
  masks.value = new Map();
  segments.value = [];
  preview.value = null;
  frame.value = 0;
  frames.value = [];
  video.value = null;
  following.value = null;
  followed.clear();
}

/** The server forgot the session: the picture is shown to it anew, what was said of it is lost. */
async function startAgain(why: string): Promise<void> {
  const bytes = current?.sessionId && (await kept<Blob>(current.sessionId, file || "picture"));
  const name = picture.value?.name ?? "picture";
  begin();
  if (bytes) await openImage(bytes, name);
  else {
    picture.value = null;
    open("image");
  }
  say(`${why} What was said before is lost${bytes ? "; the picture is open again." : "."}`, true);
}

async function resume(before: Note): Promise<void> {
  const bytes = await kept<Blob>(before.sessionId, before.file);
  if (!bytes) {
    open("image");
    return;
  }
  file = before.file;
  things.value = before.things;
  active.value = before.active;
  history.value = before.history;
  video.value = before.video;
  if (before.video) await resumeFrames(before);
  frame.value = before.frame;
  const bitmap = await createImageBitmap(frames.value[before.frame] ?? bytes);
  picture.value = { name: before.name, width: bitmap.width, height: bitmap.height, bitmap, hash: before.hash };
  current = newLink(before.sessionId, BigInt(before.seq), true);
  current.connect();
}

async function resumeFrames(before: Note): Promise<void> {
  const found: Blob[] = [];
  for (let index = 0; ; index++) {
    const one = await kept<Blob>(before.sessionId, `frame ${index}`);
    if (!one) break;
    found.push(one);
    const known = await kept<{ objects: (Drawn & { objectId: number })[] }>(before.sessionId, `masks ${index}`);
    if (known) show(known.objects, index, false);
  }
  frames.value = found;
}

// ------------------------------------------------------------------------------------------------ pictures

export const isVideo = (one: File): boolean => one.type.startsWith("video/") || /\.(mp4|mov|webm|mkv|avi)$/i.test(one.name);

/** What was dropped or chosen: an image, a video, or several images as a video's frames. */
export async function openFiles(files: readonly File[], fps: number): Promise<void> {
  const first = files[0];
  if (!first) return;
  if (isVideo(first)) await openVideo(first.name, fps, readVideo(first, fps));
  else if (files.length > 1) {
    const sorted = [...files].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    await openVideo(`${sorted.length} images`, fps, inOrder(sorted));
  } else await openImage(first, first.name);
}

async function* inOrder(files: readonly File[]): AsyncGenerator<{ blob: Blob; total: number }> {
  for (const blob of files) yield { blob, total: files.length };
}

async function bitmapOf(blob: Blob, name: string): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(blob);
  } catch {
    throw new Error(`This browser cannot show ${name}. Give a JPEG, PNG, WebP, GIF or BMP, or save it as one.`);
  }
}

function check(blob: Blob, name: string): void {
  const most = limits.value?.maxImageBytes;
  if (most !== undefined && BigInt(blob.size) > most) {
    throw new Error(
      `${name} has ${megabytes(blob.size)}, and the server takes ${megabytes(Number(most))}. Save it smaller.`,
    );
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1048576).toFixed(1)} MB`;

export async function openImage(blob: Blob, name: string): Promise<void> {
  busy.value = `Opening ${name} …`;
  try {
    const bitmap = await bitmapOf(blob, name);
    check(blob, name);
    begin();
    open("image");
    const mine = current!;
    picture.value = { name, width: bitmap.width, height: bitmap.height, bitmap, hash: "" };
    const encoded = new Uint8Array(await blob.arrayBuffer());
    const started = performance.now();
    untouched = false;
    const kind = await mine.ask({ case: "setImage", value: { image: { source: { case: "encoded", value: encoded } } } });
    if (kind.case !== "imageSet" || mine !== current) return;
    if (kind.value.width !== bitmap.width || kind.value.height !== bitmap.height) {
      throw new Error("Browser and server disagree about the picture's size. Save it as PNG and open that.");
    }
    tell(kind.value.timings, started, "picture");
    file = "picture";
    picture.value = { ...picture.value, hash: kind.value.contentHash };
    await keep(mine.sessionId, file, blob);
    remember();
  } catch (error) {
    complain(error);
  } finally {
    busy.value = "";
  }
}

async function openVideo(
  name: string,
  fps: number,
  source: AsyncGenerator<{ blob: Blob; total: number }>,
): Promise<void> {
  if (!offers("propagate")) {
    say("The model that this server runs does not follow videos. Open one of its frames as an image.", true);
    return;
  }
  busy.value = `Reading ${name} …`;
  let mine: Link | null = null;
  try {
    for await (const { blob, total } of source) {
      const bitmap = await bitmapOf(blob, name);
      check(blob, name);
      if (mine === null) {
        begin();
        open("video");
        mine = current!;
        video.value = { name, fps, total };
        picture.value = { name, width: bitmap.width, height: bitmap.height, bitmap, hash: "" };
      }
      if (mine !== current) return; // something else was opened
      const index = frames.value.length;
      const encoded = new Uint8Array(await blob.arrayBuffer());
      const image = { source: { case: "encoded" as const, value: encoded } };
      await mine.ask({ case: "frame", value: { index, image } });
      frames.value = [...frames.value, blob];
      video.value = { name, fps, total };
      busy.value = `Reading ${name}: frame ${index + 1} of ${total} …`;
      await keep(mine.sessionId, `frame ${index}`, blob);
      if (index === 0) {
        file = "frame 0";
        remember();
      }
    }
    if (mine === null) throw new Error(`No frame could be read from ${name}.`);
    video.value = { name, fps, total: frames.value.length };
    remember();
  } catch (error) {
    complain(error);
  } finally {
    busy.value = "";
  }
}

let wantedFrame = 0;

/** Goes to a frame of the video. */
export async function goTo(index: number): Promise<void> {
  const blob = frames.value[index];
  if (!blob || !picture.value) return;
  wantedFrame = index;
  const bitmap = await createImageBitmap(blob);
  if (wantedFrame !== index || !picture.value) return;
  preview.value = null;
  frame.value = index;
  picture.value = { ...picture.value, bitmap };
  remember();
}

// ------------------------------------------------------------------------------------------------ objects

const thing = (id: number): Thing => ({
  id,
  name: `object ${id}`,
  colour: COLOURS[(id - 1) % COLOURS.length]!,
  hidden: false,
  locked: false,
});

export function newThing(name?: string): number {
  const id = Math.max(0, ...things.value.map((one) => one.id)) + 1;
  things.value = [...things.value, { ...thing(id), ...(name && { name }) }];
  active.value = id;
  remember();
  return id;
}

export function change(id: number, what: Partial<Thing>): void {
  things.value = things.value.map((one) => (one.id === id ? { ...one, ...what } : one));
  remember();
}

function stillThere(): void {
  if (present.value.some((one) => one.id === active.value)) return;
  const last = present.value.at(-1);
  if (last) active.value = last.id;
  else newThing();
}

// ------------------------------------------------------------------------------------------------ prompts

type ObjectPrompt = Exclude<MessageInitShape<typeof ObjectPromptSchema>, { $typeName: string }>;

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
  if (!picture.value || !current || !one) return;
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
  const mine = current!;
  const started = performance.now();
  const before = history.value;
  pending.value++;
  const { seq, reply } = mine.tell(kind);
  const done = reply
    .then((heard) => {
      if (mine !== current || heard.case !== "masks") return;
      take(heard.value);
      tell(heard.value.timings, started, what);
    })
    .catch((error: unknown) => {
      if (mine !== current) return;
      history.value = what === "undo" || what === "redo" ? before : without(history.value, seq);
      complain(error);
    })
    .finally(() => {
      pending.value--;
      remember();
    });
  return { seq, done };
}

function take(value: Masks): void {
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

function show(objects: readonly (Drawn & { objectId: number })[], where: number, keeping = true): void {
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
  if (!current?.sessionId) return;
  const objects = [...(masks.value.get(where) ?? [])].map(([objectId, { rle, score, area, label, box }]) => {
    const [x0, y0, x1, y1] = box ?? [];
    return { objectId, rle, score, area, label, ...(box && { box: { x0, y0, x1, y1 } }) };
  });
  void keep(current.sessionId, `masks ${where}`, { objects });
}

function drop(ids: readonly number[]): void {
  const left = new Map(masks.value);
  for (const [index, known] of left) {
    left.set(index, new Map([...known].filter(([id]) => !ids.includes(id))));
  }
  masks.value = left;
}

/** What a mask is drawn from: an object's reply, a reading, or what was kept of one. */
interface Drawn {
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

function tell(timings: Timings | undefined, started: number, what: string): void {
  latency.value = { server: timings?.totalMs ?? 0, total: performance.now() - started, what, timings };
}

// ------------------------------------------------------------------------------------------------ looking ahead

export function stopLookingAhead(): void {
  lookingAhead?.abort();
  lookingAhead = null;
  preview.value = null;
}

/** What a mark would do, before it is said; nobody waits for it, and the session does not hear of it. */
export async function lookAhead(mark: Mark): Promise<void> {
  stopLookingAhead();
  const shown = picture.value;
  const hash = video.value ? await hashNow() : shown?.hash;
  if (!shown || !hash || link.value !== "open" || pending.value > 0) return;
  const mine = new AbortController();
  lookingAhead = mine;
  const standingMask = masksNow.value.get(active.value);
  const rest = standingMask && standingMask.area > 0 ? { mask: standingMask.rle } : {};
  const negative = "negative" in mark && mark.negative;
  if (negative && !standingMask) return;
  try {
    const reply = await segment(
      { image: { source: { case: "contentHash", value: hash } }, objects: [{ objectId: 1, ...spoken(mark), ...rest }] },
      token(),
      mine.signal,
    );
    const one = reply.objects[0];
    if (lookingAhead === mine && one?.rle) preview.value = { mask: maskOf(one), negative };
  } catch {
    // it was only a look
  }
}

const hashes = new WeakMap<Blob, string>();

async function hashNow(): Promise<string | undefined> {
  const blob = frames.value[frame.value];
  if (!blob || !globalThis.crypto?.subtle) return undefined;
  const known = hashes.get(blob);
  if (known) return known;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  const hash = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  hashes.set(blob, hash);
  return hash;
}

// ------------------------------------------------------------------------------------------------ everything

export async function findEverything(names: readonly string[], kind: SegmentKind): Promise<void> {
  if (!picture.value || !current) return;
  const mine = current;
  const started = performance.now();
  busy.value = "Looking for everything …";
  pending.value++;
  try {
    const heard = await mine.ask({ case: "everything", value: { kind, vocabulary: [...names] } });
    if (heard.case !== "segments" || mine !== current) return;
    segments.value = heard.value.segments
      .filter((one) => one.rle && one.area > 0n)
      .map((one, index) => ({
        id: one.objectId,
        label: one.label ?? "something",
        probability: one.labelProbability ?? 0,
        colour: COLOURS[(index + 4) % COLOURS.length]!, // not those of the first objects
        mask: maskOf(one),
      }));
    showSegments.value = true;
    tell(heard.value.timings, started, "everything");
    if (segments.value.length === 0) say("Nothing was found. Give other names, or none.");
  } catch (error) {
    complain(error);
  } finally {
    pending.value--;
    busy.value = "";
  }
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

// ------------------------------------------------------------------------------------------------ examples

/** Remembers an object as an example of its kind, for this picture and others. */
export async function pickExample(objectId: number): Promise<void> {
  const mask = masksNow.value.get(objectId);
  const one = things.value.find((each) => each.id === objectId);
  if (!mask || !one || !current || !picture.value) return;
  const hash = video.value ? await hashNow() : picture.value.hash;
  const where = video.value ? `frame ${frame.value}` : file;
  const blob = await kept<Blob>(current.sessionId, where);
  if (!hash || !blob) return;
  await keep("examples", hash, blob);
  const { height, width, counts } = mask.rle;
  example.value = { name: one.name, hash, session: "examples", file: hash, rle: { height, width, counts } };
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

// ------------------------------------------------------------------------------------------------ videos

/** Follows all objects from this frame to the end, or to the beginning. */
export async function follow(backward = false): Promise<void> {
  const mine = current;
  const total = frames.value.length;
  if (!mine || total < 2 || following.value) return;
  const start = frame.value;
  const way = backward ? -1 : 1;
  const goals: number[] = [];
  for (let index = start + way; index >= 0 && index < total; index += way) goals.push(index);
  if (goals.length === 0) {
    say(backward ? "This is the first frame: there is nothing before it." : "This is the last frame: there is nothing after it.");
    return;
  }
  following.value = { done: 0, of: goals.length };
  const asked: Promise<void>[] = [];
  let stopped: unknown = null;
  try {
    for (let at = 0; at < goals.length && !stopped && following.value; at++) {
      const index = goals[at]!;
      const started = performance.now();
      const reply = mine.ask({ case: "propagate", value: { frame: index, source: index - way } }).then(
        async (heard) => {
          if (mine !== current || heard.case !== "masks") return;
          take(heard.value);
          tell(heard.value.timings, started, "frame");
          if (following.value) following.value = { ...following.value, done: following.value.done + 1 };
          await goTo(index);
        },
        (error: unknown) => {
          stopped ??= error;
        },
      );
      asked.push(reply);
      if (at >= AHEAD) await asked[at - AHEAD];
    }
    await Promise.all(asked);
  } finally {
    following.value = null;
    remember();
  }
  if (stopped instanceof Refused && stopped.code === "CANCELLED") say("Stopped following. What was followed so far stays.");
  else if (stopped) complain(stopped);
}

export async function stopFollowing(): Promise<void> {
  if (!current || !following.value) return;
  following.value = null;
  await current.ask({ case: "stop", value: {} }).catch(complain);
}
