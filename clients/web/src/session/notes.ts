// What a reload needs, written down.

import type { History } from "../history";
import { note } from "../kept";
import { active, frame, history, live, picture, things, video } from "./state";
import type { Thing } from "./state";

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

/** Writes down what a reload needs. */
export function remember(): void {
  if (!live.link?.sessionId || !picture.value) return;
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
  note(value);
}
