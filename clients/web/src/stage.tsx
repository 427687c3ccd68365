// The picture with everything on it, and what a mouse, a pen or the arrow keys do there.

import { useEffect, useRef, useState } from "preact/hooks";
import { computed, effect, signal } from "@preact/signals";
import type { Mark } from "./history";
import { marksOn } from "./history";
import * as session from "./session/index";
import { clamp, fit, isWithin, pan, toImage, toScreen, zoom } from "./view";
import type { Spot, View } from "./view";

export type Tool = "point" | "box" | "scribble" | "lasso" | "pan";

export const tool = signal<Tool>("point");
export const takeAway = signal(false);
export const ahead = signal(true);
export const view = signal<View>({ scale: 1, left: 0, top: 0 });
export const opacity = signal(0.45);
const cursor = signal<Spot | null>(null); // moved by the arrow keys
const corners = signal<Spot[]>([]); // set by keyboard, of a box or a line that is not finished
const under = signal<Spot | null>(null); // where the pointer is
const draft = signal<Mark | null>(null);
const room = { width: 1, height: 1 };
const REST_MS = 90; // a pointer that rests for so long asks what a click would do
const NEAR = 3; // CSS pixels: less is a click and not a drag

/** The pixel that is pointed at, by mouse or by keyboard. */
export const pixel = computed(() => {
  const spot = cursor.value ?? under.value;
  return spot && { x: Math.floor(spot.x), y: Math.floor(spot.y) };
});

/** Where the keyboard's cross is, and on which objects. */
export const whereabouts = computed(() => {
  const spot = cursor.value;
  if (!spot) return "";
  const on = session.present.value.filter((one) => {
    const mask = session.masksNow.value.get(one.id);
    return mask && !one.hidden && scratch.isPointInPath(mask.path, spot.x, spot.y, "evenodd");
  });
  return `${Math.floor(spot.x)}, ${Math.floor(spot.y)}: ${on.map((one) => one.name).join(", ") || "no object"}`;
});
const scratch = document.createElement("canvas").getContext("2d")!;

let fitted = true; // nobody zoomed or moved: the whole picture stays in view when the window changes

export function fitView(): void {
  const shown = session.picture.value;
  fitted = true;
  if (shown) view.value = fit(shown.width, shown.height, room);
}

export function zoomBy(factor: number, spot?: Spot): void {
  fitted = false;
  view.value = zoom(view.value, factor, spot ?? { x: room.width / 2, y: room.height / 2 });
}

// ------------------------------------------------------------------------------------------------ drawing

function draw(canvas: HTMLCanvasElement): void {
  const context = canvas.getContext("2d")!;
  const ratio = window.devicePixelRatio || 1;
  const shown = session.picture.value;
  const now = view.value;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, room.width, room.height);
  if (!shown) return;
  context.imageSmoothingEnabled = now.scale < 2;
  context.imageSmoothingQuality = "high";
  context.drawImage(shown.bitmap, now.left, now.top, shown.width * now.scale, shown.height * now.scale);
  const inImage = () => context.setTransform(
    ratio * now.scale, 0, 0, ratio * now.scale, ratio * now.left, ratio * now.top,
  );
  const known = session.masksNow.value;
  inImage();
  if (session.showSegments.value) {
    for (const one of session.segments.value) fill(context, one.mask, one.colour, 0.35, 1.25 / now.scale);
  }
  for (const one of session.present.value) {
    const mask = known.get(one.id);
    if (!mask || one.hidden) continue;
    const chosen = one.id === session.active.value;
    fill(context, mask, one.colour, opacity.value, (chosen ? 2.25 : 1.5) / now.scale);
  }
  const look = session.preview.value;
  if (look) {
    context.setLineDash([5 / now.scale, 4 / now.scale]);
    fill(context, look.mask, look.negative ? "#ff5d5d" : "#ffffff", 0.16, 1.5 / now.scale);
    context.setLineDash([]);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (session.showSegments.value) for (const one of session.segments.value) label(context, one, now);
  const marks = marksOn(session.history.value, session.frame.value);
  for (const one of session.present.value) {
    if (one.hidden || one.id !== session.active.value) continue;
    for (const mark of marks.get(one.id) ?? []) drawMark(context, mark, one.colour, now, 1);
  }
  if (draft.value) drawMark(context, draft.value, activeColour(), now, 0.9);
  if (cursor.value) crosshair(context, toScreen(now, cursor.value));
}

const activeColour = (): string =>
  session.things.value.find((one) => one.id === session.active.value)?.colour ?? "#ffffff";

function fill(
  context: CanvasRenderingContext2D, mask: session.Mask, colour: string, alpha: number, line: number,
): void {
  context.globalAlpha = alpha;
  context.fillStyle = colour;
  context.fill(mask.path, "evenodd");
  context.globalAlpha = 1;
  context.lineJoin = "round";
  context.strokeStyle = "rgba(0, 0, 0, 0.55)";
  context.lineWidth = line * 1.9;
  context.stroke(mask.path);
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.stroke(mask.path);
}

function label(context: CanvasRenderingContext2D, one: session.Segment, now: View): void {
  if (!one.mask.box) return;
  const [x0, y0, x1, y1] = one.mask.box;
  const at = toScreen(now, { x: (x0 + x1) / 2, y: (y0 + y1) / 2 });
  context.font = "600 12px system-ui, sans-serif";
  const width = context.measureText(one.label).width + 12;
  context.fillStyle = "rgba(10, 14, 20, 0.82)";
  context.beginPath();
  context.roundRect(at.x - width / 2, at.y - 10, width, 20, 5);
  context.fill();
  context.fillStyle = one.colour;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(one.label, at.x, at.y + 0.5);
}

function drawMark(context: CanvasRenderingContext2D, mark: Mark, colour: string, now: View, alpha: number): void {
  context.globalAlpha = alpha;
  context.lineWidth = 2;
  const ink = "negative" in mark && mark.negative ? "#ff5d5d" : "#ffffff";
  switch (mark.kind) {
    case "point":
      dot(context, toScreen(now, mark.at), mark.negative, colour);
      break;
    case "box": {
      const from = toScreen(now, mark.from);
      const to = toScreen(now, mark.to);
      outlined(context, ink, () => context.rect(from.x, from.y, to.x - from.x, to.y - from.y), true);
      break;
    }
    case "scribble":
    case "lasso":
      outlined(context, ink, () => {
        mark.line.forEach((spot, index) => {
          const at = toScreen(now, spot);
          if (index === 0) context.moveTo(at.x, at.y);
          else context.lineTo(at.x, at.y);
        });
        if (mark.kind === "lasso") context.closePath();
      }, mark.kind === "lasso");
  }
  context.globalAlpha = 1;
}

function outlined(context: CanvasRenderingContext2D, ink: string, shape: () => void, dashed: boolean): void {
  context.lineJoin = context.lineCap = "round";
  context.beginPath();
  shape();
  context.strokeStyle = "rgba(0, 0, 0, 0.6)";
  context.lineWidth = 4;
  context.stroke();
  context.setLineDash(dashed ? [7, 5] : []);
  context.strokeStyle = ink;
  context.lineWidth = 2;
  context.stroke();
  context.setLineDash([]);
}

function dot(context: CanvasRenderingContext2D, at: Spot, negative: boolean, colour: string): void {
  context.beginPath();
  context.arc(at.x, at.y, 7, 0, 2 * Math.PI);
  context.fillStyle = negative ? "#d62839" : colour;
  context.fill();
  context.strokeStyle = "#ffffff";
  context.lineWidth = 2;
  context.stroke();
  context.strokeStyle = negative ? "#ffffff" : "#0b0f14";
  context.beginPath();
  context.moveTo(at.x - 3, at.y);
  context.lineTo(at.x + 3, at.y);
  if (!negative) {
    context.moveTo(at.x, at.y - 3);
    context.lineTo(at.x, at.y + 3);
  }
  context.stroke();
}

function crosshair(context: CanvasRenderingContext2D, at: Spot): void {
  for (const [ink, width] of [["rgba(0, 0, 0, 0.7)", 4], ["#ffffff", 1.5]] as const) {
    context.strokeStyle = ink;
    context.lineWidth = width;
    context.beginPath();
    context.arc(at.x, at.y, 9, 0, 2 * Math.PI);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
      context.moveTo(at.x + 5 * dx, at.y + 5 * dy);
      context.lineTo(at.x + 15 * dx, at.y + 15 * dy);
    }
    context.stroke();
  }
}

// ------------------------------------------------------------------------------------------------ pointing

interface Drag {
  readonly start: Spot; // on the screen
  readonly last: Spot;
  readonly negative: boolean;
  readonly panning: boolean;
  readonly line: Spot[];
}

let drag: Drag | null = null;
let resting = 0;

function spotOf(event: MouseEvent): Spot {
  const frame = (event.currentTarget as HTMLElement).getBoundingClientRect();
  return { x: event.clientX - frame.left, y: event.clientY - frame.top };
}

function onDown(event: PointerEvent): void {
  const shown = session.picture.value;
  if (!shown || event.button > 2) return;
  (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
  (event.currentTarget as HTMLElement).focus();
  event.preventDefault();
  cursor.value = null;
  corners.value = [];
  const at = spotOf(event);
  const inImage = toImage(view.value, at);
  const panning = tool.value === "pan" || event.button === 1 || spaceHeld;
  if (!panning && !isWithin(inImage, shown.width, shown.height) && tool.value === "point") return;
  drag = {
    start: at,
    last: at,
    panning,
    negative: (event.button === 2) !== takeAway.value,
    line: [clamp(inImage, shown.width, shown.height)],
  };
  window.clearTimeout(resting);
}

function onMove(event: PointerEvent): void {
  const shown = session.picture.value;
  if (!shown) return;
  const at = spotOf(event);
  const there = toImage(view.value, at);
  under.value = isWithin(there, shown.width, shown.height) ? there : null;
  if (!drag) {
    if (corners.value.length === 0) rest(at);
    return;
  }
  if (drag.panning) {
    fitted = false;
    view.value = pan(view.value, at.x - drag.last.x, at.y - drag.last.y);
    drag = { ...drag, last: at };
    return;
  }
  const spot = clamp(toImage(view.value, at), shown.width, shown.height);
  if (Math.hypot(at.x - drag.last.x, at.y - drag.last.y) >= 2) {
    drag.line.push(spot);
    drag = { ...drag, last: at };
  }
  draft.value = markOf(drag, spot);
}

function onUp(event: PointerEvent): void {
  const shown = session.picture.value;
  const done = drag;
  drag = null;
  draft.value = null;
  if (!done || !shown || done.panning) return;
  const at = spotOf(event);
  const spot = clamp(toImage(view.value, at), shown.width, shown.height);
  const short = Math.hypot(at.x - done.start.x, at.y - done.start.y) < NEAR;
  if (tool.value === "point") void session.prompt({ kind: "point", at: done.line[0]!, negative: done.negative });
  else if (tool.value === "scribble" || !short || done.line.length > 8) {
    const mark = markOf(done, spot);
    if (mark && isWhole(mark)) void session.prompt(mark);
  } else session.say("Drag to draw; a click alone is for the tool “Click” (V).");
}

const isWhole = (mark: Mark): boolean =>
  mark.kind === "box"
    ? mark.from.x !== mark.to.x && mark.from.y !== mark.to.y
    : mark.kind === "lasso"
      ? mark.line.length >= 3
      : mark.kind !== "scribble" || mark.line.length >= 2;

function markOf(one: Drag, spot: Spot): Mark | null {
  switch (tool.value) {
    case "box":
      return { kind: "box", from: one.line[0]!, to: spot, negative: one.negative };
    case "scribble":
    case "lasso":
      return { kind: tool.value, line: thinned([...one.line, spot]), negative: one.negative };
    default:
      return null;
  }
}

/** At most 400 corners, evenly. */
function thinned(line: Spot[]): Spot[] {
  const most = 400;
  if (line.length <= most) return line;
  return Array.from({ length: most }, (_, at) => line[Math.round((at * (line.length - 1)) / (most - 1))]!);
}

function rest(at: Spot): void {
  const shown = session.picture.value;
  window.clearTimeout(resting);
  session.stopLookingAhead();
  if (!shown || !ahead.value || tool.value !== "point") return;
  const spot = toImage(view.value, at);
  if (!isWithin(spot, shown.width, shown.height)) return;
  resting = window.setTimeout(
    () => void session.lookAhead({ kind: "point", at: spot, negative: takeAway.value }),
    REST_MS,
  );
}

function onLeave(): void {
  under.value = null;
  window.clearTimeout(resting);
  session.stopLookingAhead();
}

function onWheel(event: WheelEvent): void {
  if (!session.picture.value) return;
  event.preventDefault();
  const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
  if (event.ctrlKey || !event.shiftKey) zoomBy(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0015)), spotOf(event));
  else view.value = pan(view.value, -pixels, 0);
}

// ------------------------------------------------------------------------------------------------ keys

export let spaceHeld = false;
export const holdSpace = (held: boolean): void => {
  spaceHeld = held;
};

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

function onKey(event: KeyboardEvent): void {
  const shown = session.picture.value;
  if (!shown || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow) {
    event.preventDefault();
    const step = event.ctrlKey ? 1 : (event.shiftKey ? 32 : 4) / Math.min(view.value.scale, 4);
    const from = cursor.value ?? middle(shown);
    cursor.value = clamp({ x: from.x + arrow[0] * step, y: from.y + arrow[1] * step }, shown.width, shown.height);
    sketch();
    if (corners.value.length === 0) rest(toScreen(view.value, cursor.value));
  } else if (event.ctrlKey) {
    return;
  } else if (cursor.value && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    if (!event.repeat) place(cursor.value, event.shiftKey !== takeAway.value, event.key === "Enter");
  } else if (event.key === "Backspace" && corners.value.length > 0) {
    event.preventDefault();
    corners.value = corners.value.slice(0, -1);
    sketch();
  } else if (event.key === "Escape") {
    cursor.value = draft.value = drag = null;
    corners.value = [];
    session.stopLookingAhead();
  }
}

const middle = ({ width, height }: { width: number; height: number }): Spot => ({ x: width / 2, y: height / 2 });

/** Shows what the corners set so far and the cross would make. */
function sketch(): void {
  draft.value = corners.value.length > 0 && cursor.value ? cornered(cursor.value, takeAway.value) : null;
}

function cornered(spot: Spot, negative: boolean): Mark | null {
  const line = corners.value;
  if (tool.value === "box") return { kind: "box", from: line[0]!, to: spot, negative };
  if (tool.value !== "scribble" && tool.value !== "lasso") return null;
  const last = line.at(-1)!;
  return { kind: tool.value, line: last.x === spot.x && last.y === spot.y ? line : [...line, spot], negative };
}

/** A click, or a corner of what is drawn by keyboard; Enter finishes a line, and a box its second corner. */
function place(spot: Spot, negative: boolean, last: boolean): void {
  if (tool.value === "point" || tool.value === "pan") {
    void session.prompt({ kind: "point", at: spot, negative });
    return;
  }
  const mark = corners.value.length > 0 ? cornered(spot, negative) : null;
  if (mark && (last || mark.kind === "box") && isWhole(mark)) {
    corners.value = [];
    draft.value = null;
    void session.prompt(mark);
    return;
  }
  if (tool.value !== "box" || corners.value.length === 0) corners.value = mark && "line" in mark ? mark.line : [spot];
  sketch();
  session.say(
    tool.value === "box"
      ? "First corner set. Move with the arrow keys, and press Enter at the opposite one."
      : `${corners.value.length} ${corners.value.length === 1 ? "corner" : "corners"} set. Space sets the next one, Enter the last, Backspace takes one back.`,
  );
}

// ------------------------------------------------------------------------------------------------ the element

export function Stage() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [focused, setFocused] = useState(false);
  useEffect(() => {
    const element = canvas.current!;
    const resize = new ResizeObserver(() => {
      const { width, height } = element.getBoundingClientRect();
      const ratio = window.devicePixelRatio || 1;
      room.width = width;
      room.height = height;
      element.width = Math.round(width * ratio);
      element.height = Math.round(height * ratio);
      if (fitted) fitView();
      draw(element);
    });
    resize.observe(element);
    element.addEventListener("wheel", onWheel, { passive: false });
    let last = "";
    const fitting = effect(() => {
      const shown = session.picture.value;
      const size = shown ? `${shown.name} ${shown.width} ${shown.height}` : "";
      if (size !== last) {
        last = size;
        fitView();
      }
    });
    const putAway = effect(() => {
      void [tool.value, session.shown.value, session.frame.value];
      corners.value = [];
      draft.value = null;
    });
    let asked = 0;
    const drawing = effect(() => {
      void [
        session.picture.value, session.masksNow.value, session.present.value, session.active.value,
        session.preview.value, session.segments.value, session.showSegments.value, session.history.value,
        session.frame.value, view.value, draft.value, cursor.value, opacity.value,
      ];
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(() => draw(element));
    });
    return () => {
      resize.disconnect();
      fitting();
      drawing();
      putAway();
    };
  }, []);
  const shown = session.picture.value;
  const what = shown
    ? `${shown.name}, ${shown.width} by ${shown.height} pixels. Arrow keys move the cross, Enter or Space adds, with Shift takes away; boxes and lines are drawn corner by corner.`
    : "No picture is open.";
  return (
    <canvas
      ref={canvas}
      id="stage"
      class={`stage tool-${tool.value}${focused ? " focused" : ""}`}
      tabIndex={0}
      role="application"
      aria-label={what}
      onPointerDown={onDown}
      onPointerMove={onMove}
      onPointerUp={onUp}
      onPointerCancel={onUp}
      onPointerLeave={onLeave}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={onKey}
      onFocus={(event) => {
        const byKey = (event.target as HTMLElement).matches(":focus-visible");
        setFocused(byKey);
        if (byKey && shown) cursor.value ??= middle(shown);
      }}
      onBlur={() => {
        setFocused(false);
        cursor.value = draft.value = null;
        corners.value = [];
      }}
    />
  );
}
