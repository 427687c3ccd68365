// The list of objects, words, everything, examples and exports, at the right.

import { signal } from "@preact/signals";
import { SegmentKind } from "./wire/seem_pb";
import { lastDone, lastUndone } from "./history";
import { Icon } from "./icons";
import { save } from "./save";
import { useRoving } from "./roving";
import * as session from "./session/index";
import { opacity } from "./stage";

const words = signal("");
const names = signal("");
const kind = signal<SegmentKind>(SegmentKind.PANOPTIC);

export function Objects() {
  const roving = useRoving<HTMLUListElement>();
  const known = session.masksNow.value;
  return (
    <section class="card" aria-labelledby="objects-title">
      <header>
        <h2 id="objects-title">Objects</h2>
        <button class="small" title="New object (N)" disabled={!session.picture.value} onClick={() => session.newThing()}>
          <Icon name="plus" /> New
        </button>
      </header>
      <ul class="objects" id="objects" {...roving}>
        {session.present.value.map((one) => (
          <Row key={one.id} one={one} mask={known.get(one.id)} />
        ))}
      </ul>
    </section>
  );
}

function Row({ one, mask }: { one: session.Thing; mask: session.Mask | undefined }) {
  const chosen = one.id === session.active.value;
  return (
    <li class={chosen ? "chosen" : ""} data-object={one.id}>
      <div class="row">
        <input
          type="color"
          aria-label={`Colour of ${one.name}`}
          value={one.colour}
          onInput={(event) => session.change(one.id, { colour: event.currentTarget.value })}
        />
        <input
          class="name"
          aria-label={`Name of object ${one.id}`}
          value={one.name}
          onFocus={() => (session.active.value = one.id)}
          onInput={(event) => session.change(one.id, { name: event.currentTarget.value })}
          onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
        />
        <Toggle on={one.hidden} icons={["eye", "eyeOff"]} title={one.hidden ? `Show ${one.name}` : `Hide ${one.name}`}
          act={() => session.change(one.id, { hidden: !one.hidden })} />
        <Toggle on={one.locked} icons={["unlock", "lock"]} title={one.locked ? `Unlock ${one.name}` : `Lock ${one.name}`}
          act={() => session.change(one.id, { locked: !one.locked })} />
        <button class="bare" title={`Delete ${one.name}`} aria-label={`Delete ${one.name}`} disabled={one.locked}
          onClick={() => void session.remove(one.id)}>
          <Icon name="bin" />
        </button>
      </div>
      <div class="row">
        <button class="facts" data-rove aria-pressed={chosen} aria-label={`Choose ${one.name}`} title={facts(mask)}
          onClick={() => (session.active.value = one.id)}>
          {facts(mask)}
        </button>
        <Step icon="undo" name={`Undo ${one.name}`} hint="What came last for this object is taken back (Z)" disabled={one.locked || !lastDone(session.history.value, one.id)}
          act={() => void session.takeBack(one.id)} />
        <Step icon="redo" name={`Redo ${one.name}`} hint="What was taken back of this object is done again (Shift+Z)" disabled={one.locked || !lastUndone(session.history.value, one.id)}
          act={() => void session.doAgain(one.id)} />
      </div>
      {chosen && mask && mask.readings.length > 1 && !one.locked && (
        <div class="readings" role="group" aria-label="What the click may have meant">
          <span>Or rather</span>
          {mask.readings.map((reading, at) => (
            <button class="small" key={at} aria-label={`Reading ${at + 1}, ${Number(reading.area)} pixels`}
              title={`${Number(reading.area).toLocaleString("en")} px · sure ${Math.round(reading.score * 100)} %`}
              onPointerEnter={() => session.consider(reading)} onPointerLeave={() => session.consider(null)}
              onFocus={() => session.consider(reading)} onBlur={() => session.consider(null)}
              onClick={() => void session.choose(one.id, at)}>
              <Shape of={session.maskOfReading(reading)} colour={one.colour} />
            </button>
          ))}
        </div>
      )}
    </li>
  );
}

/** A mask, very small. */
function Shape({ of: mask, colour }: { of: session.Mask; colour: string }) {
  const { width, height } = mask.rle;
  const path = mask.loops.map((loop) => `M${loop.join(" ")}z`).join("");
  return (
    <svg class="shape" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      <path d={path} fill={colour} fill-rule="evenodd" />
    </svg>
  );
}

function Step(props: { icon: "undo" | "redo"; name: string; hint: string; disabled: boolean; act: () => void }) {
  return (
    <button class="bare step" title={props.hint} aria-label={props.name} disabled={props.disabled} onClick={props.act}>
      <Icon name={props.icon} />
    </button>
  );
}

export function facts(mask: session.Mask | undefined): string {
  if (!mask) return session.pending.value > 0 ? "…" : "nothing said yet";
  if (mask.area === 0) return "not there";
  const label = mask.label ? `${mask.label} · ` : "";
  return `${label}${mask.area.toLocaleString("en")} px · sure ${Math.round(mask.score * 100)} %`;
}

function Toggle(props: { on: boolean; icons: ["eye", "eyeOff"] | ["unlock", "lock"]; title: string; act: () => void }) {
  return (
    <button class={`bare${props.on ? " on" : ""}`} title={props.title} aria-label={props.title} aria-pressed={props.on}
      onClick={props.act}>
      <Icon name={props.icons[props.on ? 1 : 0]} />
    </button>
  );
}

export function Words() {
  const submit = (event: Event) => {
    event.preventDefault();
    const text = words.value.trim();
    if (text) void session.prompt({ kind: "text", text });
  };
  return (
    <section class="card" aria-labelledby="words-title">
      <h2 id="words-title">Words</h2>
      <form class="line" onSubmit={submit}>
        <input id="words" placeholder="a cat, the cup …" aria-label="What the object is, in words" value={words.value}
          disabled={!session.picture.value || !session.offers("text")}
          onInput={(event) => (words.value = event.currentTarget.value)} />
        <button disabled={!session.picture.value || !words.value.trim() || !session.offers("text")}>Find</button>
      </form>
      <Example />
    </section>
  );
}

function Example() {
  const mask = session.masksNow.value.get(session.active.value);
  const shown = session.example.value;
  if (!session.offers("example")) return null;
  return (
    <div class="line example">
      <button class="small" disabled={!mask || mask.area === 0} title="Remember this object, to find others like it"
        onClick={() => void session.pickExample(session.active.value)}>
        Take as example
      </button>
      <button class="small" disabled={!shown || !session.picture.value} onClick={() => void session.useExample()}
        title={shown ? `Finds what looks like ${shown.name} of ${shown.from}` : "Take an example first"}>
        Find alike
      </button>
      {shown && <span class="dim of" id="example">{shown.name} of {shown.from}</span>}
    </div>
  );
}

export function Everything() {
  const list = session.segments.value;
  const roving = useRoving<HTMLUListElement>();
  const submit = (event: Event) => {
    event.preventDefault();
    const wanted = names.value.split(",").map((one) => one.trim()).filter(Boolean);
    void session.findEverything(wanted, kind.value);
  };
  return (
    <section class="card" aria-labelledby="everything-title">
      <header>
        <h2 id="everything-title">Everything</h2>
        {list.length > 0 && (
          <span>
            <button class="bare" id="keep-all" onClick={() => void session.adoptAll()}>Keep all</button>
            <button class="bare" onClick={() => (session.segments.value = [])}>Put away</button>
          </span>
        )}
      </header>
      <form onSubmit={submit}>
        <input id="names" placeholder="all names it knows, or: cup, spoon" value={names.value}
          aria-label="Names to look for, with commas between them; none for all that the model knows"
          onInput={(event) => (names.value = event.currentTarget.value)} />
        <div class="line">
          <select aria-label="How things are told apart" value={kind.value}
            onChange={(event) => (kind.value = Number(event.currentTarget.value))}>
            <option value={SegmentKind.PANOPTIC}>things and stuff</option>
            <option value={SegmentKind.INSTANCE}>things, may overlap</option>
            <option value={SegmentKind.SEMANTIC}>one for each name</option>
          </select>
          <button id="everything" disabled={!session.picture.value || !session.offers("everything")}
            title={session.video.value ? "Everything in this frame (E)" : "Everything (E)"}>
            Look
          </button>
        </div>
      </form>
      {list.length > 0 && (
        <ul class="segments" id="segments" {...roving}>
          {list.map((one) => (
            <li key={one.id} onPointerEnter={() => session.point(one)} onPointerLeave={() => session.point(null)}>
              <span class="swatch" style={{ background: one.colour }} />
              <span class="label">{one.label}</span>
              <span class="dim">{Math.round(one.probability * 100)} %</span>
              <button class="small" data-rove aria-label={`Keep ${one.label} as an object`} onFocus={() => session.point(one)}
                onBlur={() => session.point(null)} onClick={() => void session.adopt(one)}>
                Keep
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export function Export() {
  const none = !session.picture.value;
  const several = session.video.value !== null;
  return (
    <section class="card" aria-labelledby="export-title">
      <header>
        <h2 id="export-title">Save</h2>
        <label class="dim slider">
          Fill
          <input type="range" min="0" max="0.9" step="0.05" value={opacity.value} aria-label="How strongly masks are filled"
            onInput={(event) => (opacity.value = Number(event.currentTarget.value))} />
        </label>
      </header>
      <div class="line">
        <button id="save-coco" disabled={none} onClick={() => void save("coco")}>COCO</button>
        <button id="save-png" disabled={none} onClick={() => void save("png")}>{several ? "PNGs" : "PNG"}</button>
        <button id="save-polygons" disabled={none} onClick={() => void save("polygons")}>Polygons</button>
      </div>
    </section>
  );
}
