// What the clients of Node are asked to do. Driven by tests/clients/node_calls.py, a line of JSON at a time:
//   {"call": "openai/chat", "base": "http://127.0.0.1:1", "user": "u"}  ->  {"text": ..., "tokens": [9, 4], ...}
import { createInterface } from "node:readline";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { generateObject, generateText, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

globalThis.AI_SDK_LOG_WARNINGS = false;

const { key, question, patience } = JSON.parse(process.argv[2]);
const ASKED = [{ role: "user", content: question }];
const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const TOOLS = [{ name: "get_weather", description: "of a city", input_schema: SCHEMA }];
const FUNCTION = { name: "get_weather", description: "of a city", parameters: SCHEMA };
const FUNCTIONS = [{ type: "function", function: FUNCTION }];
const CLAUDE = "claude-haiku-4-5";
const GPT = "gpt-4o-mini";

// @anthropic-ai/sdk

const claude = (base, more) => new Anthropic({ baseURL: base, apiKey: key, maxRetries: 0, ...more });
const ofClaude = (user, more) => ({
  model: CLAUDE,
  max_tokens: 1000,
  messages: ASKED,
  metadata: { user_id: user },
  ...more,
});

function message(found, ...more) {
  const { usage } = found;
  const read = usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
  return {
    text: found.content.filter((each) => each.type === "text").map((each) => each.text).join(""),
    tokens: [read, usage.output_tokens],
    finish: found.stop_reason,
    calls: found.content.filter((each) => each.type === "tool_use").map((each) => [each.name, each.input]),
    said: [found, ...more],
  };
}

const messages = (asked = {}, client = {}) => async (base, user) => {
  const { data, request_id } = await claude(base, client).messages.create(ofClaude(user, asked)).withResponse();
  return message(data, request_id);
};

const messagesStreamed = (asked = {}) => async (base, user) => {
  const kinds = [];
  const stream = claude(base).messages.stream(ofClaude(user, asked)).on("streamEvent", (each) => kinds.push(each.type));
  return message(await stream.finalMessage(), kinds);
};

const countTokens = async (base) => ({
  said: await claude(base).messages.countTokens({ model: CLAUDE, messages: ASKED }),
});

// openai

const gpt = (base, more) => new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0, ...more });
const ofGpt = (user, more) => ({ model: GPT, user, messages: ASKED, ...more });

function completion(found, ...more) {
  const [choice] = found.choices;
  return {
    text: choice.message.content ?? "",
    tokens: found.usage ? [found.usage.prompt_tokens, found.usage.completion_tokens] : null,
    finish: choice.finish_reason,
    calls: (choice.message.tool_calls ?? []).map((each) => [each.function.name, each.function.arguments]),
    said: [found, ...more],
  };
}

const chat = (asked = {}, client = {}) => async (base, user) => {
  const sent = gpt(base, client).chat.completions.create(ofGpt(user, asked)).withResponse();
  const { data, request_id } = await sent;
  return completion(data, request_id);
};

const chatStreamed = (asked = {}) => async (base, user) => {
  const pieces = [];
  const stream = gpt(base).chat.completions.stream(ofGpt(user, asked)).on("content", (each) => pieces.push(each));
  return completion(await stream.finalChatCompletion(), pieces);
};

const chatPieces = async (base, user) => {
  const chunks = [];
  for await (const chunk of await gpt(base).chat.completions.create(ofGpt(user, { stream: true }))) chunks.push(chunk);
  const choices = chunks.map((each) => each.choices[0]).filter(Boolean);
  const text = choices.map((each) => each.delta.content ?? "").join("");
  return { text, finish: choices.at(-1).finish_reason, calls: [], said: chunks };
};

function response(found, ...more) {
  return {
    text: found.output_text ?? "",
    tokens: found.usage ? [found.usage.input_tokens, found.usage.output_tokens] : null,
    finish: found.status,
    calls: found.output.filter((each) => each.type === "function_call").map((each) => [each.name, each.arguments]),
    said: [found, ...more],
  };
}

const ofResponses = (user, more) => ({ model: GPT, safety_identifier: user, input: question, ...more });
const responses = (asked = {}) => async (base, user) => response(await gpt(base).responses.create(ofResponses(user, asked)));

const responsesStreamed = (asked = {}) => async (base, user) => {
  const numbers = [];
  const stream = gpt(base).responses.stream(ofResponses(user, asked)).on("event", (each) => numbers.push(each.sequence_number));
  const found = await stream.finalResponse();
  return response(found, numbers);
};

const embeddings = async (base, user) => ({
  said: await gpt(base).embeddings.create({ model: "text-embedding-3-small", input: question, user }),
});

// ai, the Vercel AI SDK

const named = (user) => ({ "X-Zantara-User": user });
const MODELS = {
  anthropic: (base, user) => createAnthropic({ baseURL: `${base}/v1`, apiKey: key, headers: named(user) })(CLAUDE),
  chat: (base, user) => createOpenAI({ baseURL: `${base}/v1`, apiKey: key, headers: named(user) }).chat(GPT),
  openai: (base, user) => createOpenAI({ baseURL: `${base}/v1`, apiKey: key, headers: named(user) })(GPT),
};
const ANSWER = { prompt: question, maxRetries: 0, maxOutputTokens: 1000 };
const WEATHER = { get_weather: tool({ description: "of a city", inputSchema: z.object({ city: z.string() }) }) };

function generated(text, usage, finish, calls, ...more) {
  return {
    text,
    tokens: usage.inputTokens === undefined ? null : [usage.inputTokens, usage.outputTokens],
    finish,
    calls: calls.map((each) => [each.toolName, each.input]),
    said: more,
  };
}

const text = (model, more = {}) => async (base, user) => {
  const asked = { model: MODELS[model](base, user), ...ANSWER, ...more };
  if (more.patience) asked.abortSignal = AbortSignal.timeout(patience);
  const found = await generateText(asked);
  return generated(found.text, found.usage, found.finishReason, found.toolCalls, found.usage, found.response.id);
};

const textStreamed = (model, more = {}) => async (base, user) => {
  const found = streamText({ model: MODELS[model](base, user), ...ANSWER, onError: () => {}, ...more });
  const kinds = [];
  for await (const part of found.fullStream) {
    if (part.type === "error") throw part.error;
    kinds.push(part.type);
  }
  const [said, usage, finish, calls] = await Promise.all([found.text, found.usage, found.finishReason, found.toolCalls]);
  return generated(said, usage, finish, calls, usage, kinds);
};

const object = (model) => async (base, user) => {
  const schema = z.object({ city: z.string() });
  const found = await generateObject({ model: MODELS[model](base, user), ...ANSWER, schema });
  return { said: found.object };
};

// What goes wrong: the primary's refusals, a client's patience, a stream that breaks off, the candidate.
const failures = (whole, streamed, impatient) => ({
  "refused with 400": whole,
  "refused with 401": whole,
  "refused with 429": whole,
  "refused with 529": whole,
  [`waits ${patience / 1000} s only`]: impatient,
  "stream breaks off": streamed,
  "the candidate fails": whole,
  "the candidate breaks off": streamed,
});
const under = (name, calls) => Object.fromEntries(Object.entries(calls).map(([each, call]) => [`${name}${each}`, call]));

const CALLS = {
  "@anthropic-ai/sdk": {
    "messages": messages(),
    "messages, streamed": messagesStreamed(),
    "cached prompt, streamed": messagesStreamed({
      system: [{ type: "text", text: "You are Zantara.", cache_control: { type: "ephemeral" } }],
    }),
    "thinking, streamed": messagesStreamed({ max_tokens: 4000, thinking: { type: "enabled", budget_tokens: 1024 } }),
    "tool call": messages({ tools: TOOLS }),
    "tool call, streamed": messagesStreamed({ tools: TOOLS }),
    "count_tokens": countTokens,
    ...failures(messages(), messagesStreamed(), messages({}, { timeout: patience })),
  },
  "openai (Node)": {
    "chat": chat(),
    "chat, streamed": chatPieces,
    "chat, streamed with usage": chatStreamed({ stream_options: { include_usage: true } }),
    "chat, tool call": chat({ tools: FUNCTIONS }),
    "chat, tool call streamed": chatStreamed({ tools: FUNCTIONS }),
    "responses": responses(),
    "responses, streamed": responsesStreamed(),
    "responses, tool call": responses({ tools: [{ type: "function", ...FUNCTION }] }),
    "embeddings": embeddings,
    ...failures(chat(), chatStreamed(), chat({}, { timeout: patience })),
    "responses: the candidate breaks off": responsesStreamed(),
  },
  "ai": {
    "generateText, anthropic": text("anthropic"),
    "generateText, openai.chat": text("chat"),
    "generateText, openai": text("openai"),
    "streamText, anthropic": textStreamed("anthropic"),
    "streamText, openai.chat": textStreamed("chat"),
    "streamText, openai": textStreamed("openai"),
    "tool call, anthropic": text("anthropic", { tools: WEATHER }),
    "tool call, openai.chat": text("chat", { tools: WEATHER }),
    "tool call, openai": text("openai", { tools: WEATHER }),
    "generateObject, openai.chat": object("chat"),
    ...under("anthropic: ", failures(text("anthropic"), textStreamed("anthropic"), text("anthropic", { patience: true }))),
    ...under("openai.chat: ", failures(text("chat"), textStreamed("chat"), text("chat", { patience: true }))),
    "openai: the candidate breaks off": textStreamed("openai"),
  },
};

function failed(error) {
  const cause = error?.responseBody ?? error?.error ?? "";
  const told = [error?.status ?? error?.statusCode ?? null, error?.request_id ?? error?.requestID ?? null, String(error?.message ?? error), cause];
  return { error: error instanceof Error ? error.constructor.name : "an error part", said: told };
}

async function answer({ call, base, user }) {
  const [client, name] = [call.slice(0, call.lastIndexOf("|")), call.slice(call.lastIndexOf("|") + 1)];
  try {
    return await CALLS[client][name](base, user);
  } catch (error) {
    return failed(error);
  }
}

console.log(JSON.stringify(Object.entries(CALLS).flatMap(([client, calls]) => Object.keys(calls).map((name) => [client, name]))));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
