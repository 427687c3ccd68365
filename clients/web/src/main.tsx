// The page: bar, tools, picture, panels, and what the keyboard does everywhere.

import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { Hint } from "./hint";
import { Icon } from "./icons";
import type { IconName } from "./icons";
import { SegmentKind } from "./wire/seem_pb";
import { Everything, Export, Objects, Words, facts } from "./panels";
import * as session from "./session/index";
import { useRoving } from "./roving";
import { Stage, ahead, fitView, holdSpace, pixel, takeAway, tool, view, whereabouts, zoomBy } from "./stage";
import type { Tool } from "./stage";
import { Strip } from "./strip";
import { Timeline, play, stopPlaying } from "./timeline";

const SAMPLES = ["cat", "coffee", "astronaut"] as const;
const helping = signal(false);
const dropping = signal(false);
const fps = signal(10);

const TOOLS: { tool: Tool; key: string; name: string; hint: string; needs: string }[] = [
  { tool: "point", key: "v", name: "Click", hint: "Left click adds, right click takes away", needs: "point" },
  { tool: "box", key: "b", name: "Box", hint: "Drag around the object; with the right button: around what is not part of it", needs: "box" },
  { tool: "scribble", key: "s", name: "Scribble", hint: "Draw over it; with the right button: over what is not part of it", needs: "scribble" },
  { tool: "lasso", key: "l", name: "Lasso", hint: "Draw around it; with the right button: around what is not part of it", needs: "lasso" },
  { tool: "pan", key: "h", name: "Move", hint: "Drag the picture; or hold Space with any tool. The wheel zooms", needs: "" },
];

async function openSample(name: string): Promise<void> {
  const response = await fetch(`samples/${name}.jpg`);
  await open([new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" })]);
}

function choose(): void {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = true;
  input.accept = "image/*,video/*";
  input.onchange = () => void open([...(input.files ?? [])]);
  input.click();
}

async function open(files: File[]): Promise<void> {
  stopPlaying();
  await session.openFiles(files, fps.value);
  document.getElementById("stage")?.focus();
}

// ------------------------------------------------------------------------------------------------ parts

function Bar() {
  return (
    <header class="bar">
      <h1><span class="logo" aria-hidden="true" />Seem</h1>
      <button onClick={choose}><Icon name="open" /> Open…</button>
      <span class="file">{session.busy.value || (session.picture.value && (session.video.value?.name ?? session.picture.value.name))}</span>
      <span class="gap" />
      <Latency />
      <Device />
      <Connection />
      <button class="bare" aria-label="Help" title="Help (?)" onClick={() => (helping.value = true)}><Icon name="help" /></button>
    </header>
  );
}

function Latency() {
  const last = session.latency.value;
  if (!last) return null;
  const times = last.timings;
  const detail = times
    ? `${last.what}: waited ${ms(times.queueMs)}, encoded ${ms(times.encodeMs)}, decoded ${ms(times.decodeMs)}, drew ${ms(times.postMs)}`
    : last.what;
  return (
    <span class="chip" id="latency" title={detail}>
      {ms(last.total)} <span class="dim">· server {ms(last.server)}</span>
    </span>
  );
}

const ms = (time: number): string => (time < 10 ? `${time.toFixed(1)} ms` : `${Math.round(time)} ms`);

function Device() {
  const card = session.model.value;
  if (!card) return null;
  const where = card.provider === "cuda" ? "GPU" : card.provider.toUpperCase();
  return (
    <span class={`chip ${card.provider === "cuda" ? "gpu" : ""}`} id="device" title={`${card.modelId}, server ${card.serverVersion}`}>
      {where} <span class="dim">· {card.name}</span>
    </span>
  );
}

function Connection() {
  const state = session.link.value;
  const text = { open: "connected", connecting: "connecting …", lost: "reconnecting …", locked: "locked", moved: "taken over" }[state];
  return (
    <span class={`chip link ${state}`} id="connection" role="status" title={session.linkWhy.value}>
      <span class="lamp" aria-hidden="true" /> {text}
    </span>
  );
}

function Tools() {
  const roving = useRoving<HTMLDivElement>();
  return (
    <div class="tools" role="toolbar" aria-orientation="vertical" aria-label="Tools" {...roving}>
      {TOOLS.map((one) => (
        <ToolButton key={one.tool} icon={one.tool} name={one.name} hint={`${one.name} (${one.key.toUpperCase()}): ${one.hint}`}
          pressed={tool.value === one.tool} disabled={one.needs !== "" && !session.offers(one.needs)}
          act={() => (tool.value = one.tool)} />
      ))}
      <hr />
      <ToolButton icon={takeAway.value ? "minus" : "plus"} name={takeAway.value ? "Taking" : "Adding"} pressed={takeAway.value}
        hint="Add or take away (X): what the left button does; the right one does the other" act={() => (takeAway.value = !takeAway.value)} />
      <ToolButton icon="eye" name="Preview" pressed={ahead.value} hint="Preview (P): shows what a click would do while the pointer rests"
        act={() => { ahead.value = !ahead.value; session.stopLookingAhead(); }} />
      <hr />
      <ToolButton icon="undo" name="Undo" hint="Undo (Ctrl+Z)" disabled={!session.canUndo.value} act={() => void session.takeBack()} />
      <ToolButton icon="redo" name="Redo" hint="Redo (Ctrl+Shift+Z)" disabled={!session.canRedo.value} act={() => void session.doAgain()} />
      <ToolButton icon="bin" name="Clear" hint="Forget all objects; can be undone" disabled={!session.canUndo.value} act={() => void session.clear()} />
    </div>
  );
}

function ToolButton(props: {
  icon: IconName; name: string; hint: string; act: () => void; pressed?: boolean; disabled?: boolean;
}) {
  return (
    <button class="tool" data-rove title={props.hint} disabled={props.disabled ?? false} onClick={props.act}
      {...(props.pressed !== undefined && { "aria-pressed": props.pressed })}>
      <Icon name={props.icon} />
      <span>{props.name}</span>
    </button>
  );
}

function Zoom() {
  return (
    <div class="zoom" role="group" aria-label="Zoom">
      <button class="bare" title="Smaller (−)" aria-label="Smaller" onClick={() => zoomBy(1 / 1.3)}><Icon name="minus" /></button>
      <output>{Math.round(view.value.scale * 100)} %</output>
      <button class="bare" title="Larger (+)" aria-label="Larger" onClick={() => zoomBy(1.3)}><Icon name="plus" /></button>
      <button class="bare" title="Whole picture (0)" aria-label="Whole picture" onClick={fitView}><Icon name="fit" /></button>
      {pixel.value && <span class="pixel dim" aria-hidden="true">{pixel.value.x}, {pixel.value.y}</span>}
    </div>
  );
}

function Start() {
  if (session.picture.value) return null;
  return (
    <div class="start">
      <h2>Drop images or a video here</h2>
      <p>Then click on a thing: its mask appears. Right-click on what is too much.</p>
      <button class="primary" onClick={choose}><Icon name="open" /> Open files…</button>
      <p class="dim">or try one of these</p>
      <div class="samples">
        {SAMPLES.map((name) => (
          <button key={name} id={`sample-${name}`} onClick={() => void openSample(name)}>
            <img src={`samples/${name}.jpg`} alt="" />
            {name}
          </button>
        ))}
      </div>
      <label class="dim fps">
        Of a video, take
        <input type="number" min="1" max="60" value={fps.value} onInput={(event) => (fps.value = Math.min(60, Math.max(1, Number(event.currentTarget.value) || 10)))} />
        frames a second
      </label>
    </div>
  );
}

function Notice() {
  const now = session.notice.value;
  useEffect(() => {
    if (!now) return undefined;
    const timer = setTimeout(() => session.notice.value === now && (session.notice.value = null), now.bad ? 12_000 : 5_000);
    return () => clearTimeout(timer);
  }, [now]);
  return (
    <div class="notices" aria-live="polite">
      {session.link.value === "lost" && (
        <div class="notice bad" id="away">
          The server cannot be reached. What you do now is sent when it is back.
        </div>
      )}
      {now && (
        <div class={`notice${now.bad ? " bad" : ""}`} id="notice" role={now.bad ? "alert" : "status"}>
          {now.text}
          <button class="bare" aria-label="Close the message" onClick={() => (session.notice.value = null)}><Icon name="cross" /></button>
        </div>
      )}
    </div>
  );
}

/** What happened to the active object, for those who do not see it. */
function Told() {
  const one = session.things.value.find((each) => each.id === session.active.value);
  const mask = session.masksNow.value.get(session.active.value);
  return (
    <>
      <p class="unseen" role="status">{one && mask ? `${one.name}: ${facts(mask)}` : ""}</p>
      <p class="unseen" id="where" role="status">{whereabouts.value}</p>
    </>
  );
}

function Obstacle() {
  const state = session.link.value;
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), [state]);
  if (state === "moved") {
    return (
      <div class="veil"><div class="dialog" role="alertdialog" aria-label="Session taken over">
        <h2>Open somewhere else</h2>
        <p>Another page or program took this session over. Only one can have it.</p>
        <button class="primary" onClick={() => session.connectAgain()}>Take it back</button>
      </div></div>
    );
  }
  if (state === "locked") {
    const submit = (event: Event) => {
      event.preventDefault();
      session.connectAgain(field.current!.value.trim());
    };
    return (
      <div class="veil"><form class="dialog" aria-label="Token" onSubmit={submit}>
        <h2>Who are you?</h2>
        <p>{session.linkWhy.value || "This server wants a token."} Its operator gives you one.</p>
        <input ref={field} id="token" type="password" autocomplete="off" placeholder="token" aria-label="Token" />
        <p class="dim">It is kept in this tab until you close it, and goes to no one but the server.</p>
        <button class="primary">Enter</button>
      </form></div>
    );
  }
  return null;
}

const KEYS = [
  ["Left click / right click", "add / take away"],
  ["Arrow keys on the picture", "move the cross; with Shift in long steps, with Ctrl by one pixel"],
  ["Enter, Space / with Shift", "add / take away at the cross; for boxes and lines: set a corner (Space), finish (Enter)"],
  ["V B S L H", "click, box, scribble, lasso, move"],
  ["X", "the left button adds or takes away"],
  ["P", "preview on or off"],
  ["W / E", "words / everything"],
  ["N, 1 to 9", "new object, choose an object"],
  ["Delete", "delete the object"],
  ["Ctrl+Z / Ctrl+Shift+Z, Ctrl+Y", "undo / redo"],
  ["Z / Shift+Z", "the same for the chosen object alone"],
  ["Wheel, + − 0", "zoom, whole picture"],
  ["Space and drag", "move the picture"],
  ["K, comma, full stop", "play a video, frame back, frame forward"],
  ["[ / ]", "picture before / after"],
] as const;

function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (helping.value) dialog.current?.showModal();
  }, [helping.value]);
  if (!helping.value) return null;
  return (
    <dialog ref={dialog} class="dialog help" aria-label="Help" onClose={() => (helping.value = false)}>
      <h2>Keys and mouse</h2>
      <dl>
        {KEYS.map(([keys, what]) => [<dt>{keys}</dt>, <dd>{what}</dd>])}
      </dl>
      <p class="dim">
        Masks are made by the server; pictures go to it and nowhere else. Reload and go on where you were: the session is kept there.
      </p>
      <button class="primary" onClick={() => dialog.current?.close()}>Close</button>
    </dialog>
  );
}

function Page() {
  return (
    <>
      <Bar />
      <Tools />
      <main class={`middle${dropping.value ? " dropping" : ""}`}>
        <div class="canvas">
          <Stage />
          <Start />
          <Hint />
          {session.picture.value && <Zoom />}
          <Notice />
          <Told />
        </div>
        <Strip fps={fps.value} />
        <Timeline />
      </main>
      <aside class="side" aria-label="Objects and export">
        <Objects />
        <Words />
        <Everything />
        <Export />
      </aside>
      <Obstacle />
      <Help />
    </>
  );
}

// ------------------------------------------------------------------------------------------------ keys

const isField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (/^(TEXTAREA|SELECT)$/.test(target.tagName) ||
    (target instanceof HTMLInputElement && !["range", "color", "checkbox"].includes(target.type)));

const COMMANDS: Record<string, () => void> = {
  x: () => (takeAway.value = !takeAway.value),
  p: () => {
    ahead.value = !ahead.value;
    session.stopLookingAhead();
  },
  n: () => {
    if (session.picture.value) session.newThing();
  },
  w: () => document.getElementById("words")?.focus(),
  e: () => {
    if (session.picture.value) void session.findEverything([], SegmentKind.PANOPTIC);
  },
  k: play,
  ",": () => void session.goTo(session.frame.value - 1),
  ".": () => void session.goTo(session.frame.value + 1),
  "[": () => session.turn(-1),
  "]": () => session.turn(1),
  "+": () => zoomBy(1.3),
  "=": () => zoomBy(1.3),
  "-": () => zoomBy(1 / 1.3),
  "0": fitView,
  "?": () => (helping.value = true),
  delete: () => void session.remove(session.active.value),
};

function onKey(event: KeyboardEvent): void {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (isField(event.target) || (key !== "z" && key !== "y")) return;
    event.preventDefault();
    void (key === "y" || event.shiftKey ? session.doAgain() : session.takeBack());
    return;
  }
  if (event.altKey || isField(event.target) || helping.value || session.link.value === "locked") return;
  if (key === " " && document.activeElement?.id === "stage") {
    event.preventDefault();
    holdSpace(true);
  }
  const chosen = TOOLS.find((one) => one.key === key);
  const numbered = /^[1-9]$/.test(key) ? session.present.value[Number(key) - 1] : undefined;
  if (key === "z") void (event.shiftKey ? session.doAgain : session.takeBack)(session.active.value);
  else if (chosen) tool.value = chosen.tool;
  else if (numbered) session.active.value = numbered.id;
  else if (COMMANDS[key]) {
    event.preventDefault();
    COMMANDS[key]();
  }
}

window.addEventListener("keydown", onKey);
window.addEventListener("keyup", (event) => event.key === " " && holdSpace(false));
window.addEventListener("dragover", (event) => {
  event.preventDefault();
  dropping.value = true;
});
window.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) dropping.value = false;
});
window.addEventListener("drop", (event) => {
  event.preventDefault();
  dropping.value = false;
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length) void open(files);
});
window.addEventListener("pagehide", session.remember);
window.addEventListener("unhandledrejection", (event) => session.say(String(event.reason?.message ?? event.reason), true));

render(<Page />, document.getElementById("page")!);
session.meet();
