/** The page as a whole: what was dropped on the left, the picture in the middle, its classes on the right. */

import { useEffect, useState } from "preact/hooks";
import { STRINGS } from "../strings";
import { Classes } from "./classes";
import { Drop } from "./drop";
import { filesOf } from "./files";
import { LiveView } from "./live_view";
import { Listing } from "./listing";
import { OptionsForm } from "./options";
import { PictureView } from "./picture_view";
import { addFiles, announcement, begin, currentModel, liveSource, modelProblem, models } from "./state";

export function App() {
  const dragging = useDroppedFiles();
  return (
    <>
      <Header />
      <main class={dragging ? "dragging" : ""}>
        <section class="panel left" aria-label={STRINGS.pictures}>
          <Drop />
          <OptionsForm />
          <Listing />
        </section>
        {liveSource.value === null ? <PictureView /> : <LiveView source={liveSource.value} />}
        <Classes />
      </main>
      <div class="unseen" role="status" aria-live="polite">
        {announcement}
      </div>
    </>
  );
}

function Header() {
  const model = currentModel.value;
  return (
    <header>
      <h1>{STRINGS.title}</h1>
      {model && (
        <p class="model">
          <strong>{model.name}</strong> <span class="version">{model.version}</span>
          {model.ready ? "" : ` ${STRINGS.notReady}`}
        </p>
      )}
      {models.value === null && modelProblem.value === "" && <p class="model">{STRINGS.loading}</p>}
      {modelProblem.value !== "" && (
        <p class="model problem" role="alert">
          {modelProblem}{" "}
          <button type="button" onClick={() => void begin()}>
            {STRINGS.tryAgain}
          </button>
        </p>
      )}
      <nav>
        <a href="/docs">{STRINGS.docs}</a>
        <a href="/THIRD_PARTY.txt">{STRINGS.licences}</a>
      </nav>
    </header>
  );
}

/** Files may be dropped anywhere on the page, or pasted. Returns whether some are being held over it. */
function useDroppedFiles(): boolean {
  const [dragging, setDragging] = useState(false);
  useEffect(() => {
    const listening = new AbortController();
    const on = <K extends keyof WindowEventMap>(kind: K, act: (event: WindowEventMap[K]) => void): void =>
      window.addEventListener(kind, act, { signal: listening.signal });
    on("dragover", (event) => {
      event.preventDefault();
      setDragging(true);
    });
    on("dragleave", (event) => {
      if (event.relatedTarget === null) setDragging(false);
    });
    on("drop", (event) => {
      event.preventDefault();
      setDragging(false);
      if (event.dataTransfer) void filesOf(event.dataTransfer).then(addFiles);
    });
    on("paste", (event) => addFiles([...(event.clipboardData?.files ?? [])]));
    return () => listening.abort();
  }, []);
  return dragging;
}
