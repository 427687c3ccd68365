// Videos: reading their frames, going to one, following objects through them.

import { keep } from "../kept";
import { Refused } from "../link";
import type { Link } from "../link";
import { open } from "./connection";
import { take, tell } from "./masks";
import { remember } from "./notes";
import { bitmapOf, check } from "./pictures";
import { busy, complain, following, frame, frames, live, offers, picture, preview, say, segments, video } from "./state";
import { addSheet, leaf } from "./strip";

const AHEAD = 16; // frames asked for beyond the one that is awaited

/** Frames become a video: sent one by one, each there to be prompted as soon as it is. Gives whether all came. */
export async function openVideo(
  name: string,
  fps: number,
  source: AsyncGenerator<{ blob: Blob; total: number }>,
): Promise<boolean> {
  if (!offers("propagate")) {
    say("The model that this server runs does not follow videos. Open one of its frames as an image.", true);
    return false;
  }
  busy.value = `Reading ${name} …`;
  let mine: Link | null = null;
  try {
    for await (const { blob, total } of source) {
      const bitmap = await bitmapOf(blob, name);
      check(blob, name);
      if (mine === null) {
        leaf(addSheet(name, bitmap, true));
        open("video");
        mine = live.link!;
        video.value = { name, fps, total };
        picture.value = { name, width: bitmap.width, height: bitmap.height, bitmap, hash: "" };
      }
      if (mine !== live.link) return false; // something else is shown
      const index = frames.value.length;
      const encoded = new Uint8Array(await blob.arrayBuffer());
      const image = { source: { case: "encoded" as const, value: encoded } };
      await mine.ask({ case: "frame", value: { index, image } });
      frames.value = [...frames.value, blob];
      video.value = { name, fps, total };
      busy.value = `Reading ${name}: frame ${index + 1} of ${total} …`;
      await keep(mine.sessionId, `frame ${index}`, blob);
      if (index === 0) {
        live.file = "frame 0";
        remember();
      }
    }
    if (mine === null) throw new Error(`No frame could be read from ${name}.`);
    video.value = { name, fps, total: frames.value.length };
    remember();
    return true;
  } catch (error) {
    complain(error);
    return false;
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
  const mine = live.link;
  const bitmap = await createImageBitmap(blob);
  if (wantedFrame !== index || mine !== live.link || !picture.value) return;
  preview.value = null;
  if (frame.value !== index) segments.value = [];
  frame.value = index;
  picture.value = { ...picture.value, bitmap };
  remember();
}

/** Follows all objects from this frame to the end, or to the beginning. */
export async function follow(backward = false): Promise<void> {
  const mine = live.link;
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
  let last = performance.now();
  try {
    for (let at = 0; at < goals.length && !stopped && following.value; at++) {
      const index = goals[at]!;
      const reply = mine.ask({ case: "propagate", value: { frame: index, source: index - way } }).then(
        async (heard) => {
          if (mine !== live.link || heard.case !== "masks") return;
          take(heard.value);
          tell(heard.value.timings, last, "frame");
          last = performance.now();
          if (!following.value) return; // cancelled: the picture stays where it is
          following.value = { ...following.value, done: following.value.done + 1 };
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
  if (!live.link || !following.value) return;
  following.value = null;
  await live.link.ask({ case: "stop", value: {} }).catch(complain);
}


const hashes = new WeakMap<Blob, string>();

/** The content hash of the frame that is shown, as the server knows it. */
export async function hashNow(): Promise<string | undefined> {
  const blob = frames.value[frame.value];
  if (!blob || !globalThis.crypto?.subtle) return undefined;
  const known = hashes.get(blob);
  if (known) return known;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  const hash = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  hashes.set(blob, hash);
  return hash;
}
