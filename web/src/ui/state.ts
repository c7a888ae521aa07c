/** What the page knows, as signals; and the acts that change it. */

import { computed, signal } from "@preact/signals";
import { type Options, largestBody, models as askModels, predict } from "../api/client";
import { save } from "../canvas/bitmaps";
import type { Answer, Model } from "../core/answer";
import { Failure } from "../core/failure";
import { downloadNames } from "../core/names";
import { percent } from "../core/numbers";
import { hiddenAtFirst } from "../core/paint";
import { Line, pause, patiently } from "../core/queue";
import { STRINGS, failureWords, resultWords, retryWords } from "../strings";

export interface Picture {
  readonly id: number;
  readonly file: File;
  readonly name: string;
  readonly state: "waiting" | "sending" | "done" | "failed";
  /** What is said about it in the list. */
  readonly note: string;
  readonly answer: Answer | null;
  /** Options with which it was sent. */
  readonly options: Options | null;
}

export const models = signal<readonly Model[] | null>(null);
export const modelProblem = signal("");
export const options = signal<Options>({ model: "", threshold: "", minArea: "", spacing: "", tta: false });
export const pictures = signal<readonly Picture[]>([]);
export const selectedId = signal<number | null>(null);
export const opacity = signal(0.5);
/** Read out by screen readers. */
export const announcement = signal("");
/** A camera, a video file, or nothing: then single pictures are shown. */
export const liveSource = signal<"camera" | File | null>(null);
/** The last answer of the live mode. */
export const liveAnswer = signal<Answer | null>(null);

export const selected = computed(() => pictures.value.find(({ id }) => id === selectedId.value) ?? null);
/** The answer whose classes are listed. */
export const shownAnswer = computed(() => (liveSource.value === null ? (selected.value?.answer ?? null) : liveAnswer.value));
export const currentModel = computed(
  () => models.value?.find(({ name }) => name === options.value.model) ?? models.value?.[0] ?? null,
);

const TRIES = 6;
/** Two: while the server computes one picture, the next one is on its way. */
const line = new Line(2);
const aborts = new Map<number, AbortController>();
let nextId = 1;
let bodyLimit: number | null = null;

/** Ask for models and limits; called once, and again by a person when it failed. */
export async function begin(): Promise<void> {
  modelProblem.value = "";
  try {
    models.value = await patiently(askModels, { tries: TRIES, onRetry: (retry) => (modelProblem.value = retryWords(retry)) });
    modelProblem.value = models.value.length === 0 ? STRINGS.noModel : "";
    bodyLimit = await largestBody().catch(() => null);
  } catch (error) {
    modelProblem.value = error instanceof Failure ? failureWords(error) : String(error);
  }
}

// Hidden classes belong to one model; another model starts anew.
const hiddenOf = signal<ReadonlyMap<string, ReadonlySet<number>>>(new Map());

export function hiddenClasses(answer: Answer): ReadonlySet<number> {
  return hiddenOf.value.get(answer.model.name) ?? hiddenAtFirst(answer.classes);
}

export function toggleClass(answer: Answer, id: number): void {
  const hidden = new Set(hiddenClasses(answer));
  if (!hidden.delete(id)) hidden.add(id);
  hiddenOf.value = new Map(hiddenOf.value).set(answer.model.name, hidden);
}

/** Put files in line: pictures at the end of the list, a video into the live mode. */
export function addFiles(files: readonly File[]): void {
  const video = files.find(({ type }) => type.startsWith("video/"));
  const added = files
    .filter(({ type }) => !type.startsWith("video/"))
    .map((file): Picture => ({ id: nextId++, file, name: file.name || "picture", state: "waiting", note: "", answer: null, options: null }));
  pictures.value = [...pictures.value, ...added];
  for (const { id } of added) line.add(() => send(id));
  if (video) {
    liveSource.value = video;
  } else if (added[0]) {
    liveSource.value = null;
    if (selected.value === null || selected.value.state !== "waiting") selectedId.value = added[0].id;
  }
}

/** Predict once more: after a failure, or with other options. */
export function sendAgain(ids: readonly number[]): void {
  for (const id of ids) {
    aborts.get(id)?.abort();
    change(id, { state: "waiting", note: "" });
    line.add(() => send(id));
  }
}

export function remove(ids: readonly number[]): void {
  for (const id of ids) aborts.get(id)?.abort();
  const before = pictures.value;
  const at = before.findIndex(({ id }) => id === selectedId.value);
  pictures.value = before.filter(({ id }) => !ids.includes(id));
  if (selected.value === null) selectedId.value = pictures.value[Math.min(at, pictures.value.length - 1)]?.id ?? null;
}

export function downloadOne(picture: Picture): void {
  const at = pictures.value.indexOf(picture);
  if (picture.answer) save(picture.answer.mask, names()[at] ?? "mask.png");
}

/** Every mask as a file of its own; browsers ask once whether several are wanted. */
export async function downloadAll(): Promise<void> {
  const called = names();
  for (const [at, { answer }] of pictures.value.entries()) {
    if (!answer) continue;
    save(answer.mask, called[at] ?? "mask.png");
    await pause(0.15); // browsers drop downloads that follow each other at once
  }
}

function names(): string[] {
  return downloadNames(pictures.value.map(({ name }) => name));
}

function change(id: number, to: Partial<Picture>): void {
  pictures.value = pictures.value.map((picture) => (picture.id === id ? { ...picture, ...to } : picture));
}

async function send(id: number): Promise<void> {
  const picture = pictures.value.find((each) => each.id === id);
  if (picture?.state !== "waiting") return; // removed, or in line twice
  const abort = new AbortController();
  aborts.set(id, abort);
  const used = options.value;
  change(id, { state: "sending", note: "", options: used });
  const onRetry = (retry: Parameters<typeof retryWords>[0]): void => change(id, { note: retryWords(retry) });
  try {
    refuseTooLarge(picture.file);
    const request = (): Promise<Answer> => {
      change(id, { note: "" });
      return predict(picture.file, picture.name, used, abort.signal);
    };
    const answer = await patiently(request, { tries: TRIES, onRetry, signal: abort.signal });
    change(id, { state: "done", note: "", answer });
    const rows = answer.classes.map(({ name, share }) => ({ name, share: percent(share) }));
    announcement.value = resultWords(picture.name, rows, answer.warnings.length);
  } catch (error) {
    if (abort.signal.aborted) return;
    const words = error instanceof Failure ? failureWords(error) : String(error);
    change(id, { state: "failed", note: words, answer: null });
    announcement.value = `${picture.name}: ${words}`;
  } finally {
    if (aborts.get(id) === abort) aborts.delete(id);
  }
}

/** A server that counts while it reads breaks such a request off, which a browser takes for a lost connection. */
function refuseTooLarge(file: File): void {
  if (bodyLimit === null || file.size <= bodyLimit) return;
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  throw new Failure(413, `at most ${mib(bodyLimit)} are read; this file has ${mib(file.size)}`);
}
