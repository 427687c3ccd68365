// A mask's outline along the edges of its pixels, as closed loops: [x, y, x, y, …], corners only.
//
// The inside is on the right of each step, so outer loops run clockwise on the screen (their area is positive) and
// holes the other way. Pixels that touch at a corner only are apart.

export type Loop = number[];

const STEP_X = [1, 0, -1, 0];
const STEP_Y = [0, 1, 0, -1];
// Where, seen from a corner and a direction, the pixels ahead lie: on the right and on the left.
const RIGHT_X = [0, -1, -1, 0];
const RIGHT_Y = [0, 0, -1, -1];
const LEFT_X = [0, 0, -1, -1];
const LEFT_Y = [-1, 0, 0, -1];

export function trace(mask: Uint8Array, height: number, width: number): Loop[] {
  const seen = new Uint8Array(mask.length); // pixels whose upper edge is on a loop already
  const inside = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x] === 1;
  const loops: Loop[] = [];
  for (let at = 0; at < mask.length; at++) {
    if (mask[at] !== 1 || seen[at] === 1 || (at >= width && mask[at - width] === 1)) continue;
    loops.push(follow(at % width, Math.floor(at / width), inside, seen, width));
  }
  return loops;
}

function follow(
  startX: number,
  startY: number,
  inside: (x: number, y: number) => boolean,
  seen: Uint8Array,
  width: number,
): Loop {
  const loop: Loop = [];
  let x = startX;
  let y = startY;
  let direction = 0;
  do {
    if (direction === 0) seen[y * width + x] = 1;
    x += STEP_X[direction]!;
    y += STEP_Y[direction]!;
    const before = direction;
    if (!inside(x + RIGHT_X[direction]!, y + RIGHT_Y[direction]!)) direction = (direction + 1) % 4;
    else if (inside(x + LEFT_X[direction]!, y + LEFT_Y[direction]!)) direction = (direction + 3) % 4;
    if (direction !== before) loop.push(x, y);
  } while (x !== startX || y !== startY || direction !== 0);
  return loop;
}

/** Twice its area would be the shoelace sum; positive for outer loops. */
export function area(loop: Loop): number {
  let sum = 0;
  for (let i = 0; i < loop.length; i += 2) {
    const j = (i + 2) % loop.length;
    sum += loop[i]! * loop[j + 1]! - loop[j]! * loop[i + 1]!;
  }
  return sum / 2;
}

export function pathOf(loops: Loop[]): Path2D {
  const path = new Path2D();
  for (const loop of loops) {
    path.moveTo(loop[0]!, loop[1]!);
    for (let i = 2; i < loop.length; i += 2) path.lineTo(loop[i]!, loop[i + 1]!);
    path.closePath();
  }
  return path;
}
