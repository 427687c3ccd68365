// What is annotated, as signals: the picture or video, its objects and their masks, and what the page says.

import { computed, signal } from "@preact/signals";
import { EMPTY, lastUndone, removed } from "../history";
import type { History } from "../history";
import { Refused } from "../link";
import type { Link, LinkState } from "../link";
import type { Loop } from "../outline";
import type { Note } from "./notes";
import type { Hypothesis, ModelCard, Rle, Timings } from "../wire/seem_pb";

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

/** A picture or a video in the strip, with its session's note once it was shown. */
export interface Sheet {
  readonly id: string;
  readonly name: string;
  readonly size: string; // "width x height"; empty for a video
  readonly note: Note | null;
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
  readonly from: string; // the picture's name
  readonly hash: string;
  readonly session: string;
  readonly file: string; // where the picture's bytes are kept
  readonly rle: { height: number; width: number; counts: string };
}

export type Notice = { readonly text: string; readonly bad: boolean; readonly id: number };

export const COLOURS = [
  "#4cc9f0", "#f72585", "#ffd166", "#80ed99", "#b388ff", "#ff9f1c", "#2ec4b6", "#ff6b6b", "#a0c4ff", "#e9ff70",
];

export const link = signal<LinkState>("connecting");
export const linkWhy = signal("");
export const model = signal<ModelCard | null>(null);
export const picture = signal<Picture | null>(null);
export const strip = signal<readonly Sheet[]>([]);
export const shown = signal(""); // which of the strip
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
export const canRedo = computed(() => lastUndone(history.value) !== undefined);
export const limits = computed(() => model.value?.capabilities?.limits);
export const offers = (what: string): boolean => {
  const capabilities = model.value?.capabilities;
  return !capabilities || capabilities.prompts.includes(what) || capabilities.commands.includes(what);
};

/** The session's connection, the name under which the picture's bytes are kept, and whether the session has none yet. */
export const live: { link: Link | null; file: string; untouched: boolean } = { link: null, file: "", untouched: false };

let notices = 0;

export function say(text: string, bad = false): void {
  notice.value = { text, bad, id: ++notices };
}

export function complain(error: unknown): void {
  if (error instanceof Refused && error.code === "LEFT") return;
  say(error instanceof Error ? error.message : String(error), true);
}
