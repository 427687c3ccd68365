// Small drawings for buttons; their names are on the buttons.

const PATHS = {
  point: "M5 3l14 8-6 1.6L10 19z",
  box: "M4 6h16v12H4z",
  scribble: "M3 17c4-9 6-9 7-4s3 5 5 0 3-6 6-5",
  lasso: "M12 4c5 0 9 2.4 9 6s-4 6-9 6-9-2.4-9-6 4-6 9-6zM7 15.5c-1 2 .5 3.5 2 2.6s.5-2.6-2-2.6zM8 18.5c-.5 1-1 1.700-2 2.500",
  pan: "M12 3v18M3 12h18M12 3l-2.500 2.500M12 3l2.500 2.500M12 21l-2.500-2.500M12 21l2.500-2.500M3 12l2.500-2.500M3 12l2.500 2.500M21 12l-2.500-2.500M21 12l-2.500 2.500",
  undo: "M8 5L4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "M16 5l4 4-4 4M20 9H10a6 6 0 0 0 0 12h3",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  eyeOff: "M3 3l18 18M10 5.200A10 10 0 0 1 12 5c6 0 10 7 10 7a18 18 0 0 1-3 3.700M6.500 7A18 18 0 0 0 2 12s4 7 10 7a10 10 0 0 0 4.500-1.100",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  unlock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 6.800-1.200",
  bin: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  play: "M7 4l13 8-13 8z",
  pause: "M8 5v14M16 5v14",
  open: "M3 7h6l2 2h10v10H3z",
  save: "M12 4v11M7 10l5 5 5-5M4 20h16",
  help: "M9 9a3 3 0 1 1 4.200 2.700c-.8.4-1.200 1-1.200 2.300M12 17.500v.5M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  stop: "M6 6h12v12H6z",
  cross: "M6 6l12 12M18 6L6 18",
} as const;

export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { name: IconName }) => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={PATHS[name]} />
  </svg>
);
