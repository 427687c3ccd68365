// main.ts ADDRESS IMAGE X Y: opens an image, clicks on it, and prints how many pixels the mask has.
//
// One stream is one session: commands go out with rising numbers, and each reply names the command that it answers.
import { readFileSync } from "node:fs";

import { credentials, Metadata } from "@grpc/grpc-js";

import { Command, Fault, Reply, SeemClient } from "./gen/seem.js";

type Kind = NonNullable<Command["kind"]>;
type Answer = NonNullable<Reply["kind"]>;

class Session {
  private last = 0;
  private readonly waiting = new Map<number, { tell: (answer: Answer) => void; fail: (error: Error) => void }>();
  private readonly stream;

  constructor(client: SeemClient, token: string | undefined) {
    const metadata = new Metadata();
    if (token) metadata.set("authorization", `Bearer ${token}`);
    this.stream = client.interact(metadata);
    this.stream.on("data", (reply: Reply) => this.take(reply));
    this.stream.on("error", (error: Error) => this.waiting.forEach((one) => one.fail(error)));
  }

  /** What the server answers to a command; an error carries what to do in its message. */
  say(kind: Kind): Promise<Answer> {
    const seq = ++this.last;
    this.stream.write({ seq, sessionId: "", kind });
    return new Promise((tell, fail) => this.waiting.set(seq, { tell, fail }));
  }

  end(): void {
    this.stream.end();
  }

  private take(reply: Reply): void {
    const one = this.waiting.get(reply.seq);
    this.waiting.delete(reply.seq);
    if (!one || !reply.kind) return;
    if (reply.kind.$case !== "error") return one.tell(reply.kind);
    const { code, message, hint, fault } = reply.kind.value;
    one.fail(new Error(`${code} (${Fault[fault]}): ${message} ${hint}`));
  }
}

async function main([address, image, x, y]: string[]): Promise<void> {
  if (!address || !image || !x || !y) throw new Error("usage: main.ts ADDRESS IMAGE X Y");
  const client = new SeemClient(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  const session = new Session(client, process.env["SEEM_TOKEN"]);
  try {
    const encoded = readFileSync(image);
    const points = [{ x: Number(x), y: Number(y), negative: false }];
    const prompt = { objectId: 1, points, scribbles: [], negativeBoxes: [], lassos: [] };
    const opened = session.say({ $case: "open", value: { subject: { $case: "image", value: {} }, client: "example-ts" } });
    const shown = session.say({ $case: "setImage", value: { image: { source: { $case: "encoded", value: encoded } } } });
    const clicked = session.say({ $case: "prompt", value: { objects: [prompt], hypotheses: false } });
    const [, , answer] = await Promise.all([opened, shown, clicked]); // sent at once, answered in their order
    if (answer.$case !== "masks" || !answer.value.objects[0]) throw new Error(`no mask, but ${answer.$case}`);
    console.log(answer.value.objects[0].area);
    await session.say({ $case: "release", value: {} });
  } finally {
    session.end();
    client.close();
  }
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
