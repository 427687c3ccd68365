// Images, dropped or chosen.

import { keep } from "../kept";
import { readVideo } from "../frames";
import { begin, open } from "./connection";
import { tell } from "./masks";
import { remember } from "./notes";
import { busy, complain, limits, live, picture, shown } from "./state";
import { addSheet, keepSheet, turnTo } from "./strip";
import { openVideo } from "./video";

export const isVideo = (one: File): boolean => one.type.startsWith("video/") || /\.(mp4|mov|webm|mkv|avi)$/i.test(one.name);

/** What was dropped or chosen joins the strip; the first of it is shown. */
export async function openFiles(files: readonly File[], fps: number): Promise<void> {
  const sorted = [...files].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const opening: Promise<void>[] = [];
  for (const file of sorted.filter((one) => !isVideo(one))) {
    try {
      const bitmap = await bitmapOf(file, file.name);
      check(file, file.name);
      const id = addSheet(file.name, bitmap);
      await keepSheet(id, file);
      if (opening.length === 0) opening.push(turnTo(id));
    } catch (error) {
      complain(error);
    }
  }
  await Promise.all(opening);
  for (const file of sorted.filter(isVideo)) await openVideo(file.name, fps, readVideo(file, fps));
}

export async function bitmapOf(blob: Blob, name: string): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(blob);
  } catch {
    throw new Error(`This browser cannot show ${name}. Give a JPEG, PNG, WebP, GIF or BMP, or save it as one.`);
  }
}

/** Raises Error where the server takes no file of this size. */
export function check(blob: Blob, name: string): void {
  const most = limits.value?.maxImageBytes;
  if (most !== undefined && BigInt(blob.size) > most) {
    throw new Error(
      `${name} has ${megabytes(blob.size)}, and the server takes ${megabytes(Number(most))}. Save it smaller.`,
    );
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1048576).toFixed(1)} MB`;

/** Shows the server the picture of the sheet that is shown. */
export async function openImage(blob: Blob, name: string): Promise<void> {
  const id = shown.value;
  busy.value = `Opening ${name} …`;
  try {
    const bitmap = await bitmapOf(blob, name);
    check(blob, name);
    const encoded = new Uint8Array(await blob.arrayBuffer());
    if (shown.value !== id) return; // another was wanted meanwhile
    begin();
    open("image");
    const mine = live.link!;
    live.file = "picture";
    picture.value = { name, width: bitmap.width, height: bitmap.height, bitmap, hash: "" };
    const started = performance.now();
    live.untouched = false;
    const kind = await mine.ask({ case: "setImage", value: { image: { source: { case: "encoded", value: encoded } } } });
    if (kind.case !== "imageSet" || mine !== live.link) return;
    if (kind.value.width !== bitmap.width || kind.value.height !== bitmap.height) {
      throw new Error("Browser and server disagree about the picture's size. Save it as PNG and open that.");
    }
    tell(kind.value.timings, started, "picture");
    picture.value = { ...picture.value, hash: kind.value.contentHash };
    await keep(mine.sessionId, live.file, blob);
    remember();
  } catch (error) {
    complain(error);
  } finally {
    busy.value = "";
  }
}
