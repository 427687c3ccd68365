// A video file as frames, the way this browser plays it: one each 1/fps of a second, as JPEG.

const MOST = 900;
const QUALITY = 0.92;

/** Frames one after the other; `total` is how many there will be. Raises Error where the browser cannot play the file. */
export async function* readVideo(file: File, fps: number): AsyncGenerator<{ blob: Blob; total: number }> {
  const player = document.createElement("video");
  const url = URL.createObjectURL(file);
  try {
    player.muted = true;
    player.preload = "auto";
    player.src = url;
    await heard(player, "loadeddata", file.name);
    if (!Number.isFinite(player.duration)) {
      player.currentTime = 1e9; // files that were recorded live tell their length only at their end
      await heard(player, "durationchange", file.name);
    }
    const total = Math.max(1, Math.min(Math.floor(player.duration * fps + 1e-6), MOST));
    const canvas = document.createElement("canvas");
    canvas.width = player.videoWidth;
    canvas.height = player.videoHeight;
    const context = canvas.getContext("2d")!;
    for (let index = 0; index < total; index++) {
      player.currentTime = Math.min((index + 0.5) / fps, player.duration);
      await heard(player, "seeked", file.name);
      context.drawImage(player, 0, 0);
      const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
      if (!blob) throw new Error(`Frame ${index} of ${file.name} could not be read.`);
      yield { blob, total };
    }
  } finally {
    player.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}

function heard(player: HTMLVideoElement, event: string, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const forget = () => {
      player.removeEventListener(event, good);
      player.removeEventListener("error", bad);
    };
    const good = () => {
      forget();
      resolve();
    };
    const bad = () => {
      forget();
      reject(new Error(`This browser cannot play ${name}. Give an MP4 (H.264) or WebM, or its frames as images.`));
    };
    player.addEventListener(event, good);
    player.addEventListener("error", bad);
  });
}
