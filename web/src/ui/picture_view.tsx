/** The selected picture with its overlay. */

import { useEffect, useState } from "preact/hooks";
import { drawn } from "../api/client";
import { decodeFile, overlayCanvas } from "../canvas/bitmaps";
import type { Layers } from "../canvas/stage";
import { paintObjects } from "../core/outlines";
import { paint } from "../core/paint";
import { type LabelMap, readLabels } from "../core/png";
import { STRINGS, objectWords } from "../strings";
import { StageView } from "./stage_view";
import { type Picture, hiddenClasses, selected } from "./state";

/** The picture itself, or the drawing of the server when the browser cannot show the file, or neither. */
interface Base {
  readonly of: Picture["id"];
  readonly image: ImageBitmap | null;
  readonly note: string;
}

export function PictureView() {
  const picture = selected.value;
  const base = useBase(picture);
  const labels = useLabels(picture?.answer?.mask);
  const ids = useLabels(picture?.answer?.objects?.ids ?? undefined);
  const overlay = useOverlay(picture, labels, ids);
  const answer = picture?.answer ?? null;
  const size = answer ?? base?.image ?? null;
  const shown = base?.of === picture?.id ? base : null;
  const layers = useLayers(size, shown?.image ?? null, overlay, ids !== null);
  const describe = (x: number, y: number): string => {
    const id = labels?.ids[y * labels.width + x];
    const name = answer?.classes.find((row) => row.id === id)?.name;
    const object = answer?.objects?.rows[(ids?.ids[y * ids.width + x] ?? 0) - 1]; // rows are in the order of the ids
    return name === undefined ? `${x}, ${y}` : `${x}, ${y}: ${object ? objectWords(object) : name}`;
  };
  return (
    <section class="panel middle" aria-label={STRINGS.picture}>
      <StageView layers={layers} identity={picture?.id} describe={describe} hint={picture ? "" : STRINGS.dropAnywhere} />
      {shown && shown.note !== "" && <p class="note">{shown.note}</p>}
    </section>
  );
}

function useLayers(
  size: { width: number; height: number } | null,
  base: CanvasImageSource | null,
  overlay: CanvasImageSource | null,
  isOutlined: boolean,
) {
  const [layers, setLayers] = useState<Layers | null>(null);
  const width = size?.width ?? 0;
  const height = size?.height ?? 0;
  useEffect(() => {
    setLayers(width > 0 && height > 0 && (base || overlay) ? { size: { width, height }, base, overlay, isOutlined } : null);
  }, [width, height, base, overlay, isOutlined]);
  return layers;
}

function useBase(picture: Picture | null): Base | null {
  const [base, setBase] = useState<Base | null>(null);
  const file = picture?.file;
  const done = picture?.answer ?? null;
  useEffect(() => {
    const abort = new AbortController();
    if (picture) {
      void load(picture, setBase, abort.signal).catch(() => {
        if (!abort.signal.aborted) setBase({ of: picture.id, image: null, note: STRINGS.cannotShow });
      });
    } else {
      setBase(null);
    }
    return () => abort.abort();
  }, [file, done]);
  return base;
}

async function load(picture: Picture, set: (base: Base) => void, signal: AbortSignal): Promise<void> {
  const of = picture.id;
  const image = await decodeFile(picture.file);
  if (signal.aborted) return;
  if (image) return set({ of, image, note: "" });
  if (!picture.answer || !picture.options) return set({ of, image: null, note: "" });
  set({ of, image: null, note: STRINGS.drawing });
  const drawing = await decodeFile(await drawn(picture.file, picture.name, picture.options.model, signal));
  if (signal.aborted) return;
  set({ of, image: drawing, note: drawing ? STRINGS.drawnByServer : STRINGS.cannotShow });
}

function useLabels(mask: Uint8Array<ArrayBuffer> | undefined): LabelMap | null {
  const [labels, setLabels] = useState<LabelMap | null>(null);
  useEffect(() => {
    let current = true;
    setLabels(null);
    if (mask) void readLabels(mask).then((found) => current && setLabels(found), () => undefined);
    return () => {
      current = false;
    };
  }, [mask]);
  return labels;
}

function useOverlay(picture: Picture | null, labels: LabelMap | null, ids: LabelMap | null): HTMLCanvasElement | null {
  const [overlay, setOverlay] = useState<HTMLCanvasElement | null>(null);
  const answer = picture?.answer ?? null;
  const hidden = answer ? hiddenClasses(answer) : null;
  const key = hidden ? [...hidden].sort().join() : "";
  useEffect(() => {
    if (!labels || !answer || !hidden) return setOverlay(null);
    const rows = answer.objects?.rows;
    setOverlay(overlayCanvas(rows && ids ? paintObjects(labels, { ids, rows }, answer.classes, hidden) : paint(labels, answer.classes, hidden)));
  }, [labels, ids, answer, key]);
  return overlay;
}
