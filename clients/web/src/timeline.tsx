// Below a video: play, go to a frame, follow the objects, stop.

import { signal } from "@preact/signals";
import { Icon } from "./icons";
import * as session from "./session/index";

const playing = signal(0);

export function stopPlaying(): void {
  window.clearTimeout(playing.value);
  playing.value = 0;
}

export function play(): void {
  if (playing.value) {
    stopPlaying();
    return;
  }
  const step = async () => {
    const count = session.frames.value.length;
    if (!session.video.value || count === 0) {
      stopPlaying();
      return;
    }
    await session.goTo((session.frame.value + 1) % count);
    if (playing.value) playing.value = window.setTimeout(() => void step(), 1000 / session.video.value.fps);
  };
  playing.value = window.setTimeout(() => void step(), 0);
}

export function Timeline() {
  const about = session.video.value;
  if (!about) return null;
  const count = session.frames.value.length;
  const busy = session.following.value;
  const goTo = (index: number) => {
    stopPlaying();
    void session.goTo(index);
  };
  return (
    <div class="timeline" role="group" aria-label="Video">
      <button class="tool" onClick={play} title={playing.value ? "Pause (K)" : "Play (K)"} aria-label={playing.value ? "Pause" : "Play"}>
        <Icon name={playing.value ? "pause" : "play"} />
      </button>
      <div class="track">
        <input id="frame" type="range" min="0" max={Math.max(count - 1, 0)} value={session.frame.value} aria-label="Frame"
          aria-valuetext={`frame ${session.frame.value + 1} of ${count}`}
          onInput={(event) => goTo(Number(event.currentTarget.value))} />
        <Lanes count={count} />
      </div>
      <output class="dim" for="frame">{session.frame.value + 1} / {about.total}</output>
      {busy ? (
        <>
          <progress value={busy.done} max={busy.of} aria-label="Frames followed" />
          <button id="stop" onClick={() => void session.stopFollowing()}><Icon name="stop" /> Cancel</button>
        </>
      ) : (
        <>
          <button id="follow-back" disabled={session.masksNow.value.size === 0} onClick={() => void session.follow(true)}
            title="Follows all objects from this frame to the first">← Follow</button>
          <button id="follow" class="primary" disabled={session.masksNow.value.size === 0} onClick={() => void session.follow()}
            title="Follows all objects from this frame to the last">Follow →</button>
        </>
      )}
    </div>
  );
}

/** Where each object has a mask, and where it was corrected. */
function Lanes({ count }: { count: number }) {
  const said = session.history.value.done;
  return (
    <svg class="lanes" viewBox={`0 0 ${Math.max(count, 1)} ${Math.max(session.present.value.length, 1)}`} preserveAspectRatio="none" aria-hidden="true">
      {session.present.value.map((thing, row) =>
        Array.from({ length: count }, (_, index) => {
          const mask = session.masks.value.get(index)?.get(thing.id);
          if (!mask || mask.area === 0) return null;
          const marked = said.some((one) => one.kind === "prompt" && one.objectId === thing.id && one.frame === index);
          return <rect x={index} y={row + 0.1} width={1} height={0.8} fill={marked ? "#ffffff" : thing.colour} />;
        }),
      )}
    </svg>
  );
}
