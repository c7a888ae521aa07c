/** All sentences of the page, in one place. */

import type { Failure } from "./core/failure";
import type { ObjectRow } from "./core/answer";
import { decimal, duration, grouped, measured } from "./core/numbers";
import type { Retry } from "./core/queue";

export const STRINGS = {
  title: "Limner",
  loading: "Asking the server for its models ...",
  noModel: "The server has no model loaded.",
  notReady: "is still loading",
  drop: "Drop pictures here",
  dropOr: "or",
  dropAnywhere: "Drop pictures, a folder or a video anywhere on this page.",
  nothingYet: "What the model finds in a picture is listed here.",
  docs: "Interface for programs",
  licences: "Licences",
  choose: "Choose pictures or a video",
  camera: "Use the camera",
  pictures: "Pictures",
  picture: "Picture",
  none: "No picture yet. One may also be pasted from the clipboard.",
  remove: "Remove",
  removeAll: "Remove all",
  again: "Predict all again",
  tryAgain: "Try again",
  options: "Options",
  model: "Model",
  threshold: "Threshold (0 to 1; empty: the model's own)",
  minArea: "Smallest region, in pixels (empty: the model's own)",
  spacing: "Side of a pixel, in mm (for areas)",
  tta: "Average over flips (slower)",
  opacity: "Opacity of the overlay",
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  fit: "Fit",
  actual: "1:1",
  viewer: "Picture with overlay. Arrow keys move, plus and minus zoom, 0 fits, 1 shows it at full size.",
  classes: "Classes",
  show: "Show",
  class: "Class",
  pixels: "Pixels",
  share: "Share",
  area: "Area",
  objects: "Objects",
  object: "Object",
  score: "Score",
  download: "Download mask",
  downloadAll: "Download all masks",
  confidence: "Confidence",
  confidenceMeans: "The overlap with the truth (Dice) that this answer may expect.",
  warnings: "Warnings",
  time: "Time",
  waiting: "waiting",
  sending: "predicting",
  done: "done",
  failed: "failed",
  drawnByServer: "This browser cannot show this kind of picture, so the server drew it; dark ones are made brighter.",
  drawing: "The server draws the picture ...",
  cannotShow: "The picture cannot be shown. Its mask is complete and can be downloaded.",
  live: "Live",
  liveStart: "Starting ...",
  liveStop: "Stop",
  liveWidth: "Width of the frames",
  liveNative: "as filmed",
  livePlace: "Live picture with overlay",
  liveEnded: "The video has ended.",
  noCamera: "This browser gives cameras only to pages on this computer or with https.",
  cameraRefused: "The camera was not given to this page",
  cameraMissing: "No camera was found",
  videoUnreadable: "This browser cannot play this video.",
} as const;

/** One sentence for a person: what happened, what the server said, and what to do. */
export function failureWords(failure: Failure): string {
  const detail = failure.detail === "" ? "" : ` The server says: ${sentence(failure.detail)}`;
  return `${cause(failure.status)}${detail}`;
}

function cause(status: number): string {
  switch (status) {
    case 0:
      return "The server did not answer. Is it still running?";
    case 200:
      return "The answer of the server could not be understood.";
    case 401:
      return "The server does not know this browser (any more). Open the start link that it printed.";
    case 403:
      return "The server refused this page. Open it at the address that the server printed.";
    case 404:
      return "The server has no such model.";
    case 413:
      return "This picture is too large for this server.";
    case 415:
      return "The server does not read files of this kind.";
    case 422:
      return "This picture or an option could not be used.";
    case 429:
      return "The server is busy, its queue is full. Try again later.";
    case 503:
      return "The server is still loading or is shutting down. Try again later.";
    case 504:
      return "The server was too slow: the time limit passed. Try again later.";
    default:
      return `Something went wrong (status ${status}).`;
  }
}

/** While waiting for the next try. */
export function retryWords({ attempt, of, seconds, failure }: Retry): string {
  const why =
    failure.status === 429
      ? "The server is busy"
      : failure.status === 503
        ? "The server is not ready"
        : failure.status === 504
          ? "The server was too slow"
          : "The server did not answer";
  return `${why}; trying again in ${decimal(Math.ceil(seconds), 0)} s (try ${attempt + 1} of ${of})`;
}

/** What the live region reads out when a picture is done. */
export function resultWords(name: string, rows: readonly { name: string; share: string }[], warnings: number): string {
  const classes = rows.map((row) => `${row.name} ${row.share}`).join(", ");
  const noted = warnings === 0 ? "" : warnings === 1 ? " One warning." : ` ${warnings} warnings.`;
  return `${name} is done: ${classes}.${noted}`;
}

/** An object where the pointer is: class, number, size. */
export function objectWords({ id, className, pixels, area }: ObjectRow): string {
  const size = area === null ? `${grouped(pixels)} pixels` : `${measured(area.value)} ${area.unit}`;
  return `${className}, object ${id}, ${size}`;
}

/** Below a list that is cut. */
export function moreWords(left: number): string {
  return `${grouped(left)} smaller ones are not listed.`;
}

export function timeWords(seconds: Readonly<Record<string, number>>): string {
  const order = ["queue", "decode", "predict", "total"];
  return order.flatMap((key) => (seconds[key] === undefined ? [] : [`${key} ${duration(seconds[key])}`])).join(", ");
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
