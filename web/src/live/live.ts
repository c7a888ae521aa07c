/** Frames of a camera or a video, segmented one after the other: the next request starts when the last answer is on the screen. */

import { type Options, predict } from "../api/client";
import { overlayCanvas } from "../canvas/bitmaps";
import type { Layers } from "../canvas/stage";
import type { Answer } from "../core/answer";
import { Failure } from "../core/failure";
import { paintObjects } from "../core/outlines";
import { paint } from "../core/paint";
import { readLabels } from "../core/png";
import { pause, pauseBefore } from "../core/queue";
import { Rate } from "../core/rate";

export interface Shown {
  readonly layers: Layers;
  readonly answer: Answer;
  /** Frames per second over the last seconds; null before the second frame. */
  readonly perSecond: number | null;
  /** From taking the frame to showing it, in seconds. */
  readonly delay: number;
}

export interface LiveSettings {
  /** Asked before each frame, so that changes count at once. */
  readonly options: () => Options;
  /** Width of the frames in pixels; 0: as filmed. */
  readonly width: () => number;
  readonly hidden: (answer: Answer) => ReadonlySet<number>;
  readonly onFrame: (shown: Shown) => void;
  /** The server could not answer a frame; when `last`, nothing follows. */
  readonly onFailure: (failure: Failure, last: boolean) => void;
  readonly onEnd: () => void;
}

const JPEG_QUALITY = 0.9;

/** Two canvases in turn: one is on the screen while the other is filled. */
interface Buffer {
  readonly frame: HTMLCanvasElement;
  readonly overlay: HTMLCanvasElement;
}

/** Run until `signal` aborts, the video ends, or the server refuses for good. */
export async function runLive(video: HTMLVideoElement, settings: LiveSettings, signal: AbortSignal): Promise<void> {
  const buffers = [newBuffer(), newBuffer()] as const;
  const rate = new Rate();
  let failures = 0;
  for (let turn = 0; !signal.aborted; turn++) {
    if (video.ended) return settings.onEnd();
    const buffer = buffers[turn % 2 === 0 ? 0 : 1];
    try {
      if (document.hidden || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
        await pause(0.1, signal);
        continue;
      }
      const start = performance.now();
      const { layers, answer } = await segment(video, buffer, settings, signal);
      if (signal.aborted) return;
      const now = performance.now();
      rate.tick(now);
      failures = 0;
      settings.onFrame({ layers, answer, perSecond: rate.perSecond(), delay: (now - start) / 1000 });
      await nextTask();
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof Failure ? error : new Failure(200, String(error));
      settings.onFailure(failure, !failure.passing);
      if (!failure.passing) return;
      failures++;
      await pause(pauseBefore(failures, failure.retryAfter), signal).catch(() => undefined);
    }
  }
}

async function segment(
  video: HTMLVideoElement,
  buffer: Buffer,
  settings: LiveSettings,
  signal: AbortSignal,
): Promise<{ layers: Layers; answer: Answer }> {
  const jpeg = await takeFrame(video, buffer.frame, settings.width());
  const answer = await predict(jpeg, "frame.jpg", settings.options(), signal);
  const labels = await readLabels(answer.mask);
  const hidden = settings.hidden(answer);
  const { rows, ids } = answer.objects ?? { rows: [], ids: null };
  const painted = ids ? paintObjects(labels, { ids: await readLabels(ids), rows }, answer.classes, hidden) : paint(labels, answer.classes, hidden);
  const overlay = overlayCanvas(painted, buffer.overlay);
  const size = { width: answer.width, height: answer.height };
  return { layers: { size, base: buffer.frame, overlay, isOutlined: ids !== null }, answer };
}

/** The frame of now, never enlarged, as JPEG. */
async function takeFrame(video: HTMLVideoElement, canvas: HTMLCanvasElement, width: number): Promise<Blob> {
  const factor = width > 0 ? Math.min(1, width / video.videoWidth) : 1;
  canvas.width = Math.max(1, Math.round(video.videoWidth * factor));
  canvas.height = Math.max(1, Math.round(video.videoHeight * factor));
  canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Failure(200, "the frame is empty"))), "image/jpeg", JPEG_QUALITY),
  );
}

function newBuffer(): Buffer {
  return { frame: document.createElement("canvas"), overlay: document.createElement("canvas") };
}

/** Let the browser draw and listen before the next frame is taken. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
