// How the image lies on the screen: a scale and the place of its upper left corner, in CSS pixels.
// Image coordinates are the contract's: the first pixel spans [0, 1] and its centre is (0.5, 0.5).

export interface View {
  readonly scale: number;
  readonly left: number;
  readonly top: number;
}

export interface Spot {
  readonly x: number;
  readonly y: number;
}

const MARGIN = 24;
const LEAST = 0.02;
const MOST = 64;

/** The whole image in the middle. */
export function fit(width: number, height: number, room: { width: number; height: number }): View {
  const across = Math.max(room.width - 2 * MARGIN, 16) / width;
  const down = Math.max(room.height - 2 * MARGIN, 16) / height;
  const scale = Math.min(across, down, 8);
  return { scale, left: (room.width - width * scale) / 2, top: (room.height - height * scale) / 2 };
}

export const toImage = (view: View, spot: Spot): Spot => ({
  x: (spot.x - view.left) / view.scale,
  y: (spot.y - view.top) / view.scale,
});

export const toScreen = (view: View, spot: Spot): Spot => ({
  x: spot.x * view.scale + view.left,
  y: spot.y * view.scale + view.top,
});

/** Larger or smaller, with what lies under `spot` staying there. */
export function zoom(view: View, factor: number, spot: Spot): View {
  const scale = Math.min(Math.max(view.scale * factor, LEAST), MOST);
  const ratio = scale / view.scale;
  return { scale, left: spot.x - (spot.x - view.left) * ratio, top: spot.y - (spot.y - view.top) * ratio };
}

export const pan = (view: View, dx: number, dy: number): View => ({
  ...view,
  left: view.left + dx,
  top: view.top + dy,
});

/** Within the image; on its last pixel where it was beyond. */
export const clamp = (spot: Spot, width: number, height: number): Spot => ({
  x: Math.min(Math.max(spot.x, 0.5), width - 0.5),
  y: Math.min(Math.max(spot.y, 0.5), height - 0.5),
});

export const isWithin = (spot: Spot, width: number, height: number): boolean =>
  spot.x >= 0 && spot.y >= 0 && spot.x < width && spot.y < height;
