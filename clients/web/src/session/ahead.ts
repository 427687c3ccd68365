// Looking ahead: what a click would do, asked without the session.

import type { Mark } from "../history";
import { token } from "../kept";
import { segment } from "../link";
import { maskOf } from "./masks";
import { spoken } from "./prompts";
import { active, link, masksNow, pending, picture, preview, video } from "./state";
import { hashNow } from "./video";

let lookingAhead: AbortController | null = null;

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
