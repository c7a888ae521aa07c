/** What is asked of the model; folded away, as the defaults are what was validated. */

import type { Options } from "../api/client";
import { STRINGS } from "../strings";
import { currentModel, models, options, pictures, sendAgain } from "./state";

export function OptionsForm() {
  const set = (part: Partial<Options>): void => {
    options.value = { ...options.value, ...part };
  };
  const { threshold, minArea, spacing, tta } = options.value;
  const known = models.value ?? [];
  return (
    <details class="options">
      <summary>{STRINGS.options}</summary>
      {known.length > 1 && (
        <label>
          {STRINGS.model}
          <select value={currentModel.value?.name ?? ""} onChange={(event) => set({ model: event.currentTarget.value })}>
            {known.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        {STRINGS.threshold}
        <input type="number" min="0" max="1" step="0.05" value={threshold} onInput={(event) => set({ threshold: event.currentTarget.value })} />
      </label>
      <label>
        {STRINGS.minArea}
        <input type="number" min="0" step="1" value={minArea} onInput={(event) => set({ minArea: event.currentTarget.value })} />
      </label>
      <label>
        {STRINGS.spacing}
        <input type="number" min="0" step="any" value={spacing} onInput={(event) => set({ spacing: event.currentTarget.value })} />
      </label>
      <label class="row">
        <input type="checkbox" checked={tta} onChange={(event) => set({ tta: event.currentTarget.checked })} />
        {STRINGS.tta}
      </label>
      <button type="button" disabled={pictures.value.length === 0} onClick={() => sendAgain(pictures.value.map(({ id }) => id))}>
        {STRINGS.again}
      </button>
    </details>
  );
}
