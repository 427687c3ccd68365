// One session over one WebSocket at a time: numbers commands, matches replies, and attaches again by itself.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  CommandSchema,
  ErrorSchema,
  ReplySchema,
  SegmentReplySchema,
  SegmentRequestSchema,
} from "./wire/seem_pb";
import type { Command, Error as Fault, Reply, SegmentReply } from "./wire/seem_pb";

export type Say = NonNullable<MessageInitShape<typeof CommandSchema>["kind"]>;
export type Heard = Reply["kind"];

/** What went wrong, in the server's words. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    readonly what: string,
    readonly hint: string,
  ) {
    super(hint ? `${what} ${hint}` : what);
  }
}

export type LinkState = "connecting" | "open" | "lost" | "locked" | "moved";

export interface Ears {
  state(state: LinkState, why?: string): void;
  attached(kind: Extract<Heard, { case: "attached" }>["value"]): void;
  /** The session is gone: nothing can be resumed. */
  gone(why: string): void;
}

interface Waiting {
  readonly command: Command;
  readonly resolve: (reply: Heard) => void;
  readonly reject: (why: Refused) => void;
}

const ATTACH = 2n ** 62n; // its own number is any, and no command's
const PATIENCE_MS = [300, 600, 1200, 2500, 5000];

export class Link {
  private socket: WebSocket | null = null;
  private waiting = new Map<bigint, Waiting>();
  private tries = 0;
  private timer = 0;
  private ready = false;
  private closed = false;

  constructor(
    private readonly ears: Ears,
    private readonly token: () => string,
    public sessionId = "",
    public seq = 0n,
    private wantMasks = false,
  ) {}

  connect(): void {
    this.closed = false;
    window.clearTimeout(this.timer);
    this.ears.state("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/interact`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      socket.send(JSON.stringify({ token: this.token() }));
      if (this.sessionId) this.attach();
      else this.begin();
    };
    socket.onmessage = (event) => {
      if (this.socket === socket) this.hear(fromBinary(ReplySchema, new Uint8Array(event.data as ArrayBuffer)));
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  /** Hangs up; the session stays on the server. */
  leave(): void {
    this.closed = true;
    window.clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.fail(new Refused("LEFT", "The session was left.", ""));
  }

  /** Says a command; gives its reply, or raises Refused. */
  ask(kind: Say): Promise<Heard> {
    return this.tell(kind).reply;
  }

  /** The same, with the number that the command got. */
  tell(kind: Say): { seq: number; reply: Promise<Heard> } {
    const seq = ++this.seq;
    const command = create(CommandSchema, { seq, kind });
    const reply = new Promise<Heard>((resolve, reject) => {
      this.waiting.set(seq, { command, resolve, reject });
    });
    if (this.ready || kind.case === "open") this.send(command);
    return { seq: Number(seq), reply };
  }

  private send(command: Command): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(toBinary(CommandSchema, command));
  }

  private begin(): void {
    this.ready = true;
    this.tries = 0;
    this.ears.state("open");
    for (const { command } of this.waiting.values()) this.send(command);
  }

  private attach(): void {
    const waiting = [...this.waiting.keys()];
    const afterSeq = waiting.length ? waiting.reduce((a, b) => (a < b ? a : b)) - 1n : this.seq;
    const value = { sessionId: this.sessionId, afterSeq, masks: this.wantMasks, waiting };
    this.send(create(CommandSchema, { seq: ATTACH, kind: { case: "attach", value } }));
  }

  private hear(reply: Reply): void {
    const kind = reply.kind;
    if (kind.case === "attached") {
      this.wantMasks = false;
      const known = kind.value.session?.lastSeq ?? 0n;
      if (known > this.seq) this.seq = known;
      this.ready = true;
      this.tries = 0;
      this.ears.attached(kind.value);
      this.ears.state("open");
      for (const [seq, { command }] of this.waiting) if (seq > known) this.send(command);
      return;
    }
    if (kind.case === "error" && (reply.seq === 0n || reply.seq === ATTACH)) {
      this.ended(kind.value, reply.seq === ATTACH);
      return;
    }
    const waiting = this.waiting.get(reply.seq);
    if (waiting === undefined) return; // heard before the connection was lost
    this.waiting.delete(reply.seq);
    if (kind.case === "opened") this.sessionId = kind.value.sessionId;
    if (kind.case === "error") waiting.reject(refusalOf(kind.value));
    else waiting.resolve(kind);
  }

  /** The stream itself failed, or attaching did. */
  private ended(fault: Fault, attaching: boolean): void {
    const refusal = refusalOf(fault);
    if (fault.code === "SESSION_MOVED") {
      this.wantMasks = true; // who has it now may change what stands
      this.stop("moved", refusal);
    } else if (fault.code === "UNAUTHENTICATED" || fault.code === "PLAINTEXT_TOKEN") {
      this.stop("locked", refusal);
    } else if (attaching && fault.code !== "OVERLOADED" && fault.code !== "SHUTTING_DOWN") {
      this.closed = true;
      this.fail(refusal);
      this.ears.gone(refusal.message);
    } else {
      this.ears.state("lost", refusal.message); // the socket closes next, and that tries again
    }
  }

  private stop(state: LinkState, refusal: Refused): void {
    this.closed = true;
    this.ready = false;
    this.ears.state(state, refusal.what); // the hint is for programs
  }

  private lost(): void {
    this.ready = false;
    this.socket = null;
    if (this.closed) return;
    this.ears.state("lost");
    const patience = PATIENCE_MS[Math.min(this.tries++, PATIENCE_MS.length - 1)]!;
    this.timer = window.setTimeout(() => this.connect(), patience);
  }

  private fail(why: Refused): void {
    for (const { reject } of this.waiting.values()) reject(why);
    this.waiting.clear();
  }
}

/** One image, one answer, without a session: for looking ahead, and at a frame. */
export async function segment(
  request: MessageInitShape<typeof SegmentRequestSchema>,
  token: string,
  signal: AbortSignal | null = null,
): Promise<SegmentReply> {
  const response = await fetch("/segment", {
    method: "POST",
    signal,
    headers: { "Content-Type": "application/x-protobuf", ...(token && { Authorization: `Bearer ${token}` }) },
    body: toBinary(SegmentRequestSchema, create(SegmentRequestSchema, request)),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.ok) return fromBinary(SegmentReplySchema, bytes);
  if (response.status === 422) throw refusalOf(fromBinary(ErrorSchema, bytes));
  throw new Refused("HTTP", new TextDecoder().decode(bytes).trim(), "");
}

const refusalOf = (fault: Fault): Refused => new Refused(fault.code, fault.message, fault.hint);
