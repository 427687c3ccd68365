// What a reload needs, written down: of each sheet of the strip, and which is shown.

import type { History } from "../history";
import { note, noteNothing } from "../kept";
import { active, example, frame, history, live, picture, shown, strip, things, video } from "./state";
import type { Sheet, Shown, Thing } from "./state";

export interface Note {
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

export interface Notes {
  shown: string;
  strip: readonly Sheet[];
  example: Shown | null;
}

/** Writes down what a reload needs. */
export function remember(): void {
  if (live.link?.sessionId && picture.value) {
    const value: Note = {
      sessionId: live.link.sessionId,
      seq: Number(live.link.seq),
      name: picture.value.name,
      hash: picture.value.hash,
      file: live.file,
      active: active.value,
      frame: frame.value,
      things: things.value,
      history: history.value,
      video: video.value,
    };
    strip.value = strip.value.map((one) => (one.id === shown.value ? { ...one, note: value } : one));
  }
  if (strip.value.length === 0) noteNothing();
  else note({ shown: shown.value, strip: strip.value, example: example.value } satisfies Notes);
}
