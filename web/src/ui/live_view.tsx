/** The live mode: a camera or a video file, with its overlay and the frames per second reached. */

import { useEffect, useRef, useState } from "preact/hooks";
import { decimal, duration } from "../core/numbers";
import { type Shown, runLive } from "../live/live";
import { STRINGS, failureWords } from "../strings";
import { StageView } from "./stage_view";
import { announcement, hiddenClasses, liveAnswer, liveSource, options } from "./state";

const WIDTHS = [320, 480, 640, 960, 1280, 0];

export function LiveView({ source }: { source: "camera" | File }) {
  const video = useRef<HTMLVideoElement>(null);
  const width = useRef(640);
  const [shown, setShown] = useState<Shown | null>(null);
  const [note, setNote] = useState<string>(STRINGS.liveStart);
  const say = (words: string): void => {
    setNote(words);
    if (words !== "") announcement.value = words;
  };
  useEffect(() => {
    const abort = new AbortController();
    setShown(null);
    setNote(STRINGS.liveStart);
    if (video.current) void film(video.current, source, { width: () => width.current, onFrame: setShown, say }, abort.signal);
    return () => {
      abort.abort();
      liveAnswer.value = null;
    };
  }, [source]);
  return (
    <section class="panel middle" aria-label={STRINGS.livePlace}>
      <StageView layers={shown?.layers ?? null} identity={source} hint="">
        <label>
          {STRINGS.liveWidth}
          <select defaultValue="640" onChange={(event) => (width.current = Number(event.currentTarget.value))}>
            {WIDTHS.map((each) => (
              <option key={each} value={each} selected={each === 640}>
                {each === 0 ? STRINGS.liveNative : each}
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="main" onClick={() => (liveSource.value = null)}>
          {STRINGS.liveStop}
        </button>
      </StageView>
      <video ref={video} class="unseen" muted playsInline tabIndex={-1} aria-hidden="true" />
      {shown && <Speed shown={shown} />}
      {note !== "" && <p class="note">{note}</p>}
    </section>
  );
}

function Speed({ shown }: { shown: Shown }) {
  const { width, height } = shown.layers.size;
  const rate = shown.perSecond === null ? "" : `${decimal(shown.perSecond, 1)} frames per second, `;
  return (
    <p class="speed" data-fps={shown.perSecond ?? undefined}>
      {rate}
      {duration(shown.delay)} per frame, {width} x {height}
    </p>
  );
}

interface Film {
  readonly width: () => number;
  readonly onFrame: (shown: Shown) => void;
  readonly say: (words: string) => void;
}

/** Give the video its source, play it, run the loop, and hand the camera back at the end. */
async function film(video: HTMLVideoElement, source: "camera" | File, { width, onFrame, say }: Film, signal: AbortSignal) {
  let close = (): void => undefined;
  try {
    close = source === "camera" ? await openCamera(video) : openFile(video, source);
    signal.addEventListener("abort", close, { once: true });
    if (signal.aborted) return close();
    await video.play();
  } catch (error) {
    close();
    if (!signal.aborted) say(problem(error, source));
    return;
  }
  const show = (shown: Shown): void => {
    liveAnswer.value = shown.answer;
    onFrame(shown);
    say("");
  };
  await runLive(
    video,
    {
      options: () => options.value,
      width,
      hidden: hiddenClasses,
      onFrame: show,
      onFailure: (failure) => say(failureWords(failure)),
      onEnd: () => say(STRINGS.liveEnded),
    },
    signal,
  );
  close();
}

async function openCamera(video: HTMLVideoElement): Promise<() => void> {
  if (!navigator.mediaDevices) throw new Error(STRINGS.noCamera);
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } }, audio: false });
  video.srcObject = stream;
  return () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
}

function openFile(video: HTMLVideoElement, file: File): () => void {
  const address = URL.createObjectURL(file);
  video.src = address;
  return () => {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(address);
  };
}

function problem(error: unknown, source: "camera" | File): string {
  if (source !== "camera") return STRINGS.videoUnreadable;
  if (error instanceof DOMException && error.name === "NotFoundError") return `${STRINGS.cameraMissing}.`;
  if (error instanceof DOMException) return `${STRINGS.cameraRefused}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
