/** Requests to the server that sent this page, and to no other. */

import { type Answer, AnswerError, type Model, readAnswer, readError, readModels } from "../core/answer";
import { Failure, retryAfter } from "../core/failure";

export interface Options {
  /** Name of the model; empty: the server's first one. */
  readonly model: string;
  readonly threshold: string;
  readonly minArea: string;
  /** Side of a pixel in millimetres; empty: no areas. */
  readonly spacing: string;
  readonly tta: boolean;
}

/** A page of another origin cannot send this header without asking first, so the server knows that the call is ours. */
const OURS = { "X-Limner": "1" };

export async function models(): Promise<Model[]> {
  return understood(async () => readModels(await (await asked("v1/models", { headers: OURS })).json()));
}

/** Segment a file. `name` goes along for messages only. */
export async function predict(file: Blob, name: string, options: Options, signal?: AbortSignal): Promise<Answer> {
  const response = await post(file, name, options, "json", signal);
  return understood(async () => readAnswer(await response.json()));
}

/** No picture has so many pixels that a region of it could; all regions become background. */
const NOTHING = String(2 ** 31 - 1);

/** The picture as the server draws it, without any overlay: for kinds that a browser cannot show, or not as they are meant. */
export async function drawn(file: Blob, name: string, model: string, signal?: AbortSignal): Promise<Blob> {
  const options = { model, threshold: "", minArea: NOTHING, spacing: "", tta: false };
  return (await post(file, name, options, "overlay_png", signal)).blob();
}

async function post(file: Blob, name: string, options: Options, output: string, signal?: AbortSignal): Promise<Response> {
  const query = new URLSearchParams({ output });
  if (options.model !== "") query.set("model", options.model);
  if (options.threshold !== "") query.set("threshold", options.threshold);
  if (options.minArea !== "") query.set("min_area", options.minArea);
  if (options.spacing !== "") query.set("spacing_mm", options.spacing);
  if (options.tta) query.set("tta", "true");
  const body = new FormData();
  body.append("image", file, name);
  const init: RequestInit = { method: "POST", body, headers: { ...OURS, Accept: output === "json" ? "application/json" : "image/png" } };
  if (signal) init.signal = signal;
  return asked(`v1/predict?${query}`, init);
}

/** The response when its status is good; else a `Failure` with the words of the server. */
async function asked(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Failure(0, "");
  }
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  throw new Failure(response.status, readError(body).message, retryAfter(response.headers.get("Retry-After")));
}

/** An answer that is not as documented is a failure like any other. */
async function understood<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof AnswerError) throw new Failure(200, error.message);
    if (error instanceof SyntaxError) throw new Failure(200, "the answer is not JSON");
    if (error instanceof TypeError) throw new Failure(0, "the answer broke off");
    throw error;
  }
}

/** Largest body in bytes that the server takes, or null when it does not say. */
export async function largestBody(): Promise<number | null> {
  const response = await asked("v1/limits", { headers: OURS });
  const limits: unknown = await response.json().catch(() => null);
  const bytes = typeof limits === "object" && limits !== null ? (limits as Record<string, unknown>)["body_bytes"] : null;
  return typeof bytes === "number" ? bytes : null;
}
