// Meeting the server, going on after a reload, and beginning anew.

import { EMPTY } from "../history";
import { keepToken, kept, noted, sweep, token } from "../kept";
import { Link } from "../link";
import type { LinkState } from "../link";
import type { ModelCard, ObjectMask } from "../wire/seem_pb";
import { forgetFollowed, show } from "./masks";
import type { Told } from "./masks";
import type { Note, Notes } from "./notes";
import { thing } from "./objects";
import { openImage } from "./pictures";
import {
  active, complain, example, frame, frames, following, history, link, linkWhy, live, masks, model, picture, preview, say,
  segments, shown, strip, things, video,
} from "./state";
import { drawAll } from "./strip";

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
  const before = noted<Partial<Notes>>();
  void sweep();
  strip.value = before?.strip ?? [];
  example.value = before?.example ?? null;
  shown.value = before?.shown ?? "";
  const one = strip.value.find((each) => each.id === shown.value);
  void drawAll();
  if (one?.note) {
    void connectTo(one.note).then((there) => {
      if (!there) open("image");
    });
  } else open("image");
}

/** A session of its own, in place of the one before, which is left. */
export function open(subject: "image" | "video"): void {
  const before = live.link;
  if (before && live.untouched && subject === "image") return; // nothing was said in it yet
  before?.leave();
  live.untouched = subject === "image";
  live.link = newLink();
  live.link.connect();
  const opened = subject === "image" ? { case: "image" as const, value: {} } : { case: "video" as const, value: {} };
  live.link
    .ask({ case: "open", value: { client: "seem-web", subject: opened } })
    .then((kind) => {
      if (kind.case === "opened") model.value = kind.value.model ?? null;
    })
    .catch(complain);
}

/** After the token was given, or to take the session back from another page. */
export function connectAgain(newToken?: string): void {
  if (newToken !== undefined) keepToken(newToken);
  live.link?.connect();
}

export function begin(): void {
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
  forgetFollowed();
}

/** The server forgot the session: the picture is shown to it anew, what was said of it is lost. */
async function startAgain(why: string): Promise<void> {
  const mine = live.link;
  const bytes = mine?.sessionId && (await kept<Blob>(mine.sessionId, live.file || "picture"));
  if (mine !== live.link) return; // another sheet is shown
  const name = picture.value?.name ?? "picture";
  begin();
  if (bytes) await openImage(bytes, name);
  else {
    picture.value = null;
    open("image");
  }
  say(`${why} What was said before is lost${bytes ? "; the picture is open again." : "."}`, true);
}

/** Ends a session that is not the one shown. */
export function release(before: Note): void {
  const quiet = { state: () => undefined, attached: () => undefined, gone: () => undefined };
  const other = new Link(quiet, token, before.sessionId, BigInt(before.seq));
  other.connect();
  void other.ask({ case: "release", value: {} }).catch(() => undefined).then(() => other.leave());
}

/** Goes on with the session of the sheet that is shown; false where its picture is not kept here any more. */
export async function connectTo(before: Note): Promise<boolean> {
  const id = shown.value;
  const bytes = await kept<Blob>(before.sessionId, before.file);
  if (!bytes) return false;
  const found = before.video ? await framesOf(before.sessionId) : [];
  const bitmap = await createImageBitmap(found[before.frame]?.blob ?? bytes);
  if (shown.value !== id) return true; // another was wanted meanwhile
  live.file = before.file;
  things.value = before.things;
  active.value = before.active;
  history.value = before.history;
  video.value = before.video;
  frames.value = found.map((one) => one.blob);
  found.forEach((one, index) => show(one.objects, index, false));
  frame.value = before.frame;
  picture.value = { name: before.name, width: bitmap.width, height: bitmap.height, bitmap, hash: before.hash };
  live.link?.leave();
  live.untouched = false;
  live.link = newLink(before.sessionId, BigInt(before.seq), true);
  live.link.connect();
  return true;
}

/** The frames that are kept of a video, and what is known in each. */
async function framesOf(sessionId: string): Promise<{ blob: Blob; objects: Told[] }[]> {
  const found: { blob: Blob; objects: Told[] }[] = [];
  for (;;) {
    const blob = await kept<Blob>(sessionId, `frame ${found.length}`);
    if (!blob) return found;
    const known = await kept<{ objects: Told[] }>(sessionId, `masks ${found.length}`);
    found.push({ blob, objects: known?.objects ?? [] });
  }
}
