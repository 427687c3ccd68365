// Below the picture where there are several: small pictures of them, to go from one to another.

import { Icon } from "./icons";
import { useRoving } from "./roving";
import * as session from "./session/index";

export function Strip({ fps }: { fps: number }) {
  const roving = useRoving<HTMLUListElement>();
  const list = session.strip.value;
  if (list.length < 2) return null;
  const pictures = list.filter((one) => one.size !== "");
  const alike = new Set(pictures.map((one) => one.size)).size === 1;
  return (
    <div class="strip" role="group" aria-label="Pictures">
      <ul id="strip" {...roving}>
        {list.map((one) => <Page key={one.id} one={one} />)}
      </ul>
      {pictures.length > 1 && session.offers("propagate") && (
        <button id="as-video" class="small" disabled={!alike || session.busy.value !== ""} onClick={() => void session.asVideo(fps)}
          title={alike ? "Takes the pictures as a video's frames; what was said of them is lost" : "A video's frames have one size; these have several"}>
          <Icon name="play" /> As a video
        </button>
      )}
    </div>
  );
}

function Page({ one }: { one: session.Sheet }) {
  const current = one.id === session.shown.value;
  const name = `${one.name}${one.note && one.note.history.done.length ? ", annotated" : ""}`;
  const close = (event: KeyboardEvent) => {
    if (event.key !== "Delete") return;
    event.preventDefault();
    event.stopPropagation();
    void session.closeSheet(one.id);
  };
  return (
    <li class={current ? "chosen" : ""} data-sheet={one.name}>
      <button class="page" data-rove aria-current={current} aria-label={`Show ${name}`} title={name}
        onClick={() => void session.turnTo(one.id)} onKeyDown={close}>
        <img src={session.thumbs.value.get(one.id) ?? "icon.svg"} alt="" />
        {one.size === "" && <Icon name="play" />}
      </button>
      <button class="close" tabIndex={-1} aria-label={`Close ${one.name}`} title={`Close ${one.name} (Delete)`}
        onClick={() => void session.closeSheet(one.id)}>
        <Icon name="cross" />
      </button>
    </li>
  );
}
