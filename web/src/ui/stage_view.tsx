/** The canvas with its buttons, for single pictures and for the live mode. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Layers, Stage } from "../canvas/stage";
import { STRINGS } from "../strings";
import { opacity } from "./state";

export interface StageViewProps {
  readonly layers: Layers | null;
  /** Another picture is fitted into the screen; the same one keeps its place. */
  readonly identity: unknown;
  /** What is below a pixel, in words; "" for nothing. */
  readonly describe?: (x: number, y: number) => string;
  /** In the middle of an empty canvas. */
  readonly hint: string;
  readonly children?: ComponentChildren;
}

export function StageView({ layers, identity, describe, hint, children }: StageViewProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const stage = useRef<Stage | null>(null);
  const words = useRef(describe);
  const [pixel, setPixel] = useState("");
  words.current = describe;
  useEffect(() => {
    if (!canvas.current) return;
    stage.current = new Stage(canvas.current, (at) => setPixel(at ? (words.current?.(at.x, at.y) ?? "") : ""));
    return () => stage.current?.dispose();
  }, []);
  const last = useRef(identity);
  useEffect(() => {
    stage.current?.show(layers, last.current === identity);
    last.current = identity;
  }, [layers, identity]);
  useEffect(() => stage.current?.setOpacity(opacity.value), [opacity.value]);
  const percent = Math.round(opacity.value * 100);
  return (
    <>
      <div class="toolbar">
        <div class="buttons">
          <button type="button" class="small" aria-label={STRINGS.zoomOut} title={STRINGS.zoomOut} onClick={() => stage.current?.zoom(0.8)}>
            −
          </button>
          <button type="button" class="small" aria-label={STRINGS.zoomIn} title={STRINGS.zoomIn} onClick={() => stage.current?.zoom(1.25)}>
            +
          </button>
          <button type="button" onClick={() => stage.current?.fit()}>
            {STRINGS.fit}
          </button>
          <button type="button" onClick={() => stage.current?.actual()}>
            {STRINGS.actual}
          </button>
        </div>
        <label class="opacity">
          {STRINGS.opacity}
          <input
            type="range"
            min="0"
            max="100"
            step="5"
            value={percent}
            aria-valuetext={`${percent} %`}
            onInput={(event) => (opacity.value = Number(event.currentTarget.value) / 100)}
          />
          <output>{percent} %</output>
        </label>
        {children}
      </div>
      <div class="frame">
        <canvas ref={canvas} class="stage" tabIndex={0} role="img" aria-label={STRINGS.viewer} />
        {hint !== "" && <p class="hint">{hint}</p>}
      </div>
      <p class="pixel quiet">{pixel}&nbsp;</p>
    </>
  );
}
