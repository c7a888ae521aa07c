/** The answers of the server, checked: what is not as documented is an error in words, never `undefined` on the page. */

export interface ClassRow {
  readonly id: number;
  readonly name: string;
  /** "#rrggbb" */
  readonly color: string;
  readonly pixels: number;
  /** Part of the picture, 0 to 1. */
  readonly share: number;
  readonly area: { readonly value: number; readonly unit: string } | null;
}

/** One object: a cell, a person. */
export interface ObjectRow {
  /** As in the picture of ids, from 1. */
  readonly id: number;
  readonly className: string;
  readonly score: number | null;
  readonly pixels: number;
  readonly area: { readonly value: number; readonly unit: string } | null;
}

export interface Objects {
  /** How many objects of each class there are. */
  readonly counts: Readonly<Record<string, number>>;
  readonly rows: readonly ObjectRow[];
  /** A 16-bit PNG of object ids; null when there are more than it can hold. */
  readonly ids: Uint8Array<ArrayBuffer> | null;
}

export interface Answer {
  readonly model: { readonly name: string; readonly version: string };
  readonly width: number;
  readonly height: number;
  readonly classes: readonly ClassRow[];
  /** The file that is downloaded: a palette PNG of class ids. */
  readonly mask: Uint8Array<ArrayBuffer>;
  /** Null where the model does not tell objects apart. */
  readonly objects: Objects | null;
  readonly confidence: number | null;
  /** Queue, decode, predict, total; those that the server gave. */
  readonly seconds: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
}

export interface Model {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly ready: boolean;
  readonly runtime: string;
}

export class AnswerError extends Error {}

type Fields = Record<string, unknown>;

/** An answer of `POST /v1/predict?output=json`. */
export function readAnswer(value: unknown): Answer {
  const answer = fields(value, "answer");
  const model = fields(answer["model"], "model");
  const size = list(answer["size_hw"], "size_hw").map((side) => count(side, "size_hw"));
  const [height, width] = size;
  if (height === undefined || width === undefined || size.length !== 2) throw new AnswerError("size_hw has not two numbers");
  const confidence = answer["confidence"] ?? null;
  return {
    model: { name: text(model["name"], "model.name"), version: text(model["version"], "model.version") },
    width,
    height,
    classes: list(answer["classes"], "classes").map(readClass),
    mask: fromBase64(text(answer["mask_png"], "mask_png")),
    objects: readObjects(answer),
    confidence: confidence === null ? null : number(confidence, "confidence"),
    seconds: numbers(answer["seconds"] ?? {}),
    warnings: list(answer["warnings"] ?? [], "warnings").map((warning) => text(warning, "warnings")),
  };
}

function readObjects(answer: Fields): Objects | null {
  const told = answer["objects"] ?? null;
  if (told === null) return null;
  const objects = fields(told, "objects");
  const ids = answer["instances_png"] ?? null;
  return {
    counts: numbers(objects["classes"], "objects.classes"),
    rows: list(objects["rows"], "objects.rows").map(readObject),
    ids: ids === null ? null : fromBase64(text(ids, "instances_png"), "instances_png"),
  };
}

function readObject(value: unknown): ObjectRow {
  const row = fields(value, "objects.rows");
  const score = row["score"] ?? null;
  const area = row["area"] ?? null;
  return {
    id: count(row["id"], "objects.rows.id"),
    className: text(row["class"], "objects.rows.class"),
    score: score === null ? null : number(score, "objects.rows.score"),
    pixels: count(row["pixels"], "objects.rows.pixels"),
    area: area === null ? null : readArea(fields(area, "objects.rows.area")),
  };
}

function readClass(value: unknown): ClassRow {
  const row = fields(value, "classes");
  const color = text(row["color"], "classes.color");
  if (!/^#[0-9a-f]{6}$/i.test(color)) throw new AnswerError(`the colour ${color} is not #rrggbb`);
  const area = row["area"] ?? null;
  return {
    id: count(row["id"], "classes.id"),
    name: text(row["name"], "classes.name"),
    color,
    pixels: count(row["pixels"], "classes.pixels"),
    share: number(row["share"], "classes.share"),
    area: area === null ? null : readArea(fields(area, "classes.area")),
  };
}

function readArea(area: Fields): { value: number; unit: string } {
  return { value: number(area["value"], "area.value"), unit: text(area["unit"], "area.unit") };
}

/** The models of `GET /v1/models`: a list, or an object whose `models` is one. */
export function readModels(value: unknown): Model[] {
  const rows = Array.isArray(value) ? value : list(fields(value, "models")["models"], "models");
  return rows.map((row) => {
    const model = fields(row, "models");
    return {
      name: text(model["name"], "models.name"),
      version: text(model["version"] ?? "", "models.version"),
      architecture: text(model["architecture"] ?? "", "models.architecture"),
      ready: model["ready"] !== false,
      runtime: typeof model["runtime"] === "string" ? model["runtime"] : "",
    };
  });
}

/** Code and sentence of an error body `{"error": {"code", "message"}}`, or of any other body that an intermediary may send. */
export function readError(value: unknown): { code: string; message: string } {
  const error = isFields(value) ? value["error"] : undefined;
  if (typeof error === "string") return { code: "", message: error };
  if (!isFields(error)) return { code: "", message: "" };
  const { code, message } = error;
  return { code: typeof code === "string" ? code : "", message: typeof message === "string" ? message : "" };
}

/** The bytes of a base64 text. */
export function fromBase64(encoded: string, where = "mask_png"): Uint8Array<ArrayBuffer> {
  let binary: string;
  try {
    binary = atob(encoded);
  } catch {
    throw new AnswerError(`${where} is not base64`);
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fields(value: unknown, where: string): Fields {
  if (!isFields(value)) throw new AnswerError(`${where} is not an object`);
  return value;
}

function list(value: unknown, where: string): unknown[] {
  if (!Array.isArray(value)) throw new AnswerError(`${where} is not a list`);
  return value;
}

function text(value: unknown, where: string): string {
  if (typeof value !== "string") throw new AnswerError(`${where} is not a text`);
  return value;
}

function number(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new AnswerError(`${where} is not a number`);
  return value;
}

function count(value: unknown, where: string): number {
  const found = number(value, where);
  if (!Number.isInteger(found) || found < 0) throw new AnswerError(`${where} is ${found}, not a count`);
  return found;
}

function numbers(value: unknown, where = "seconds"): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [key, entry] of Object.entries(fields(value, where))) if (typeof entry === "number") found[key] = entry;
  return found;
}
