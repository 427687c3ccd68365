// Several pictures and videos, one of them shown. Each has a session of its own, which is left when another is shown, and
// attached to again; one that was never shown has none yet.

import { signal } from "@preact/signals";
import { forget, keep, kept } from "../kept";
import { begin, connectTo, open, release } from "./connection";
import { remember } from "./notes";
import { openImage } from "./pictures";
import { live, picture, say, shown, strip } from "./state";
import type { Sheet } from "./state";
import { openVideo } from "./video";

const FILE = "picture";
const THUMB = 132; // pixels

export const thumbs = signal<ReadonlyMap<string, string>>(new Map());

let made = 0;

/** Puts a sheet at the strip's end, with a small picture of it; gives its id. */
export function addSheet(name: string, bitmap: ImageBitmap, isVideo = false): string {
  const id = `${Date.now()}-${++made}`;
  const size = isVideo ? "" : `${bitmap.width} x ${bitmap.height}`;
  strip.value = [...strip.value, { id, name, size, note: null }];
  void draw(id, bitmap);
  return id;
}

async function draw(id: string, bitmap: ImageBitmap): Promise<void> {
  const canvas = document.createElement("canvas");
  const scale = Math.min(1, THUMB / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d")!;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
  if (blob) thumbs.value = new Map(thumbs.value).set(id, URL.createObjectURL(blob));
}

/** Keeps the file of a sheet, under its own name until it has a session. */
export const keepSheet = (id: string, blob: Blob): Promise<void> => keep(id, FILE, blob);

/** What the sheet was opened from; a video's first frame. */
const fileOf = (one: Sheet): Promise<Blob | undefined> =>
  one.note ? kept<Blob>(one.note.sessionId, one.note.file) : kept<Blob>(one.id, FILE);

/** After a reload: small pictures of what is there. */
export async function drawAll(): Promise<void> {
  for (const one of strip.value) {
    const blob = await fileOf(one);
    if (blob) await createImageBitmap(blob).then((bitmap) => draw(one.id, bitmap), () => undefined);
  }
}

/** Lets go of what is shown, and makes room for a sheet. */
export function leaf(id: string): void {
  remember();
  if (!live.untouched) {
    live.link?.leave();
    live.link = null;
  }
  begin();
  picture.value = null;
  shown.value = id;
}

/** Shows a sheet. */
export async function turnTo(id: string): Promise<void> {
  const one = strip.value.find((each) => each.id === id);
  if (!one || id === shown.value) return;
  leaf(id);
  if (one.note && (await connectTo(one.note))) return;
  const blob = await fileOf(one);
  if (shown.value !== id) return; // another was wanted meanwhile
  if (blob) await openImage(blob, one.name);
  else say(`${one.name} is not kept in this browser any more. Open the file again.`, true);
}

/** Shows the sheet before or after, round and round. */
export function turn(by: number): void {
  const at = strip.value.findIndex((one) => one.id === shown.value);
  const next = strip.value.at((at + by) % strip.value.length);
  if (next) void turnTo(next.id);
}

/** Closes a sheet and ends its session. */
export async function closeSheet(id: string): Promise<void> {
  const at = strip.value.findIndex((one) => one.id === id);
  const one = strip.value[at];
  if (!one) return;
  if (id === shown.value) {
    const next = strip.value[at + 1] ?? strip.value[at - 1];
    if (next) await turnTo(next.id);
    else {
      leaf("");
      open("image");
    }
  }
  const now = strip.value.find((each) => each.id === id);
  strip.value = strip.value.filter((each) => each.id !== id);
  const url = thumbs.value.get(id);
  if (url) URL.revokeObjectURL(url);
  remember();
  await forget(id);
  if (!now?.note) return;
  release(now.note);
  await forget(now.note.sessionId);
}

/** Makes a video of the pictures, in their order; what was said of them is lost. */
export async function asVideo(fps: number): Promise<void> {
  const pages = strip.value.filter((one) => one.size !== "");
  const blobs: Blob[] = [];
  for (const one of pages) {
    const blob = await fileOf(one);
    if (blob) blobs.push(blob);
  }
  if (!(await openVideo(`${blobs.length} images`, fps, inOrder(blobs)))) return;
  for (const one of pages) await closeSheet(one.id);
}

async function* inOrder(blobs: readonly Blob[]): AsyncGenerator<{ blob: Blob; total: number }> {
  for (const blob of blobs) yield { blob, total: blobs.length };
}
