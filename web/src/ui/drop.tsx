/** Where pictures come in: drop, choose, camera. */

import { STRINGS } from "../strings";
import { addFiles, liveSource } from "./state";

export function Drop() {
  const choose = (event: Event): void => {
    const input = event.currentTarget as HTMLInputElement;
    addFiles([...(input.files ?? [])]);
    input.value = ""; // the same file may be chosen again
  };
  return (
    <div class="drop">
      <p>
        {STRINGS.drop} <span class="quiet">{STRINGS.dropOr}</span>
      </p>
      <label class="button main">
        {STRINGS.choose}
        <input class="unseen" type="file" multiple accept="image/*,.tif,.tiff,.bmp,.dcm,.nii,.gz,video/*" onChange={choose} />
      </label>
      <button type="button" onClick={() => (liveSource.value = "camera")}>
        {STRINGS.camera}
      </button>
    </div>
  );
}
