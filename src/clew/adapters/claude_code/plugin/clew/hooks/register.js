// The mod: what the hooks do, done inside the client where it has mods, and the one thing that hooks cannot: a compaction whose messages
// are our own, so that no summary is asked of a model. Whatever fails, or takes too long, goes on as without clew.
//
// A request that a mod has begun cannot be given up, and the client waits for it before it does anything else. So nothing is asked of the
// daemon itself, which may hang, but of a small process that is started with the session and answers in time whatever the daemon does.

const RELAY = "@RELAY@"; // its command line
const SHORT_CHARS = 1500; // a shorter result is not worth the question; the daemon holds the same number
const READY_MS = { hello: 2000, prompt: 120, append: 120, compact: 2000 }; // for the relay's first line: it takes 30 ms
const LATE_MS = { hello: 2000, prompt: 1200, append: 1500, compact: 9600 }; // far more than the relay takes: only one that hangs is late
const AGAIN_MS = 30 * 1000; // a relay that has ended or hangs is left alone for so long

let socketPath = null; // a promise of the relay's socket, null while none runs
let leftAloneUntil = 0;

function relay($) {
  if (socketPath === null && Date.now() >= leftAloneUntil) {
    socketPath = new Promise((found) => void run($, found));
  }
  return socketPath ?? Promise.resolve("");
}

async function run($, found) {
  let said = "";
  try {
    for await (const { stream, text } of $.process.spawn({ argv: RELAY })) {
      if (stream !== "stdout" || said.includes("\n")) continue;
      said += text;
      if (said.includes("\n")) found(said.split("\n")[0]);
    }
  } catch {
    // it could not be started, or was cut off with the session
  }
  found("");
  socketPath = null;
  leftAloneUntil = Date.now() + AGAIN_MS;
}

async function ask($, door, body) {
  const path = await Promise.race([relay($), $.clock.sleep(READY_MS[door]).then(() => "")]);
  if (!path || (door !== "compact" && Date.now() < leftAloneUntil)) return {}; // a compaction costs a model's answer: it is always tried
  const session_id = await $.session.id();
  const cwd = await $.session.cwd();
  const answer = $.http.fetch(`http://clew/mod/${door}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ session_id, cwd, ...body }),
    socketPath: path,
  });
  const late = $.clock.sleep(LATE_MS[door]).then(() => "late");
  const said = await Promise.race([answer.catch(() => null), late]);
  if (said === "late") leftAloneUntil = Date.now() + AGAIN_MS;
  return said !== null && said !== "late" && said.ok ? JSON.parse(said.text) : {};
}

function textOf(content) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content) || content.some((block) => block.type !== "text")) return null;
  return content.map((block) => block.text).join("\n");
}

// A row of the conversation may have no text, such as one that a hook left which nobody waited for.
function sizeOf({ text, toolUses, toolResults }) {
  const inputs = (toolUses ?? []).map((use) => JSON.stringify(use.input ?? {}));
  const results = (toolResults ?? []).map((result) => result.text ?? "");
  return [text ?? "", ...inputs, ...results].join("").length;
}

async function shortened($, e, block) {
  const text = block.type === "tool_result" ? textOf(block.content) : null;
  if (text === null || text.length < SHORT_CHARS) return block;
  const tool_name = e.origin.kind === "tool" ? e.origin.tool : "";
  const said = await ask($, "append", {
    tool_use_id: block.tool_use_id,
    tool_name,
    agent_id: e.agentId,
    is_error: block.is_error === true,
    text,
  });
  return typeof said.text === "string" ? { ...block, content: said.text } : block;
}

export function register(on) {
  on("session.start", async ($, e, next) => {
    const started = await next(e);
    void ask($, "hello", {}).catch(() => ({}));
    return started;
  });

  on("prompt.submit", async ($, e, next) => {
    if (e.command || e.isMeta) return next(e);
    const { context } = await ask($, "prompt", { prompt: e.text }).catch(() => ({}));
    return next(typeof context === "string" ? { ...e, context: [...(e.context ?? []), context] } : e);
  });

  on("session.append", { door: "tool-result" }, async ($, e, next) => {
    try {
      const content = await Promise.all(e.message.content.map((block) => shortened($, e, block)));
      if (content.every((block, at) => block === e.message.content[at])) return next(e);
      return next({ ...e, message: { ...e.message, content } });
    } catch {
      return next(e);
    }
  });

  on("session.compact", async ($, e, next) => {
    if (e.agentId) return next(e);
    if (e.trigger === "precompute") return { skip: "clew compacts without a summary" };
    const last = [...e.messages].reverse().find((message) => message.role === "assistant" && message.text);
    const sizes = e.messages.map(sizeOf);
    const { messages } = await ask($, "compact", {
      window_chars: sizes.reduce((sum, size) => sum + size, 0),
      trigger: e.trigger,
      instructions: e.instructions,
      said_last: last?.text.slice(0, 1500),
    }).catch(() => ({}));
    if (!Array.isArray(messages) || messages.length === 0) return next(e);
    return { messages: messages.map(({ role, content }) => ({ role, text: content, toolUses: [] })) };
  });
}
