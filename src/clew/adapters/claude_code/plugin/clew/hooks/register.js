// The mod: what the hooks do, done inside the client where it has mods, and the one thing that hooks cannot: a compaction
// whose messages are our own, so that no summary is asked of a model. Everything is asked of clew's daemon over its private
// socket. Whatever fails, or takes too long, goes on as without clew.

const SOCKET = "@SOCKET@";
const SHORT_CHARS = 1500; // a shorter result is not worth the question; the daemon holds the same number
const WITHIN_MS = { hello: 1000, prompt: 1000, append: 1000, compact: 9000 }; // the client gives a hook 10 s

// The client offers no way to give up a request, and waits for one under way before the next turn. So a daemon that was late once is
// not asked again for a while: a hang costs one wait, and no more.
const LEFT_ALONE_MS = 5 * 60 * 1000;
let leftAloneUntil = 0;

async function ask($, door, body) {
  if (Date.now() < leftAloneUntil) return {};
  const session_id = await $.session.id();
  const cwd = await $.session.cwd();
  const answer = $.http.fetch(`http://clew/mod/${door}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ session_id, cwd, ...body }),
    socketPath: SOCKET,
  });
  const late = $.clock.sleep(WITHIN_MS[door]).then(() => "late");
  const said = await Promise.race([answer.catch(() => null), late]);
  if (said === "late") leftAloneUntil = Date.now() + LEFT_ALONE_MS;
  return said !== null && said !== "late" && said.ok ? JSON.parse(said.text) : {};
}

function textOf(content) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content) || content.some((block) => block.type !== "text")) return null;
  return content.map((block) => block.text).join("\n");
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
    await ask($, "hello", {}).catch(() => ({}));
    return next(e);
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
    const sizes = e.messages.map(({ text, toolUses = [], toolResults = [] }) =>
      [...toolUses.map((use) => JSON.stringify(use.input ?? {})), ...toolResults.map((result) => result.text ?? "")].join("").length + text.length,
    );
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
