/** The pictures, each with its state in words. */

import { Component } from "preact";
import { STRINGS } from "../strings";
import { type Picture, announcement, downloadAll, liveSource, pictures, remove, selectedId, sendAgain } from "./state";

const MARK = { waiting: "·", sending: "…", done: "✓", failed: "!" } as const;

export function Listing() {
  const all = pictures.value;
  if (all.length === 0) return <p class="quiet">{STRINGS.none}</p>;
  const done = all.filter(({ state }) => state === "done").length;
  const failed = all.filter(({ state }) => state === "failed").length;
  return (
    <div class="listing">
      <div class="progress">
        <progress max={all.length} value={done + failed} aria-label={STRINGS.pictures} />
        <span>
          {done} / {all.length}
          {failed > 0 && `, ${failed} ${STRINGS.failed}`}
        </span>
      </div>
      <ul onKeyDown={walkByArrows}>
        {all.map((picture) => (
          <Row key={picture.id} picture={picture} shown={liveSource.value === null && selectedId.value === picture.id} />
        ))}
      </ul>
      <div class="buttons">
        <button type="button" disabled={done === 0} onClick={() => void downloadAll()}>
          {STRINGS.downloadAll}
        </button>
        <button type="button" onClick={() => clear(all)}>
          {STRINGS.removeAll}
        </button>
      </div>
    </div>
  );
}

interface RowProps {
  readonly picture: Picture;
  readonly shown: boolean;
}

/** One picture. It is drawn again only when it changed itself: a folder may have thousands. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return next.picture !== this.props.picture || next.shown !== this.props.shown;
  }

  override render({ picture, shown }: RowProps) {
    const { id, name, state, note } = picture;
    return (
      <li class={`${state}${shown ? " shown" : ""}`}>
        <button type="button" class="pick" aria-current={shown ? "true" : undefined} onClick={() => select(id)}>
          <span class="mark" aria-hidden="true">
            {MARK[state]}
          </span>
          <span class="name">{name}</span>
          <span class={state === "done" ? "unseen" : "state"}>{STRINGS[state]}</span>
        </button>
        <button type="button" class="small" aria-label={`${STRINGS.remove}: ${name}`} title={STRINGS.remove} onClick={() => remove([id])}>
          ×
        </button>
        {note !== "" && (
          <p class="note">
            {note}{" "}
            {state === "failed" && (
              <button type="button" onClick={() => sendAgain([id])}>
                {STRINGS.tryAgain}
              </button>
            )}
          </p>
        )}
      </li>
    );
  }
}

function select(id: number): void {
  selectedId.value = id;
  liveSource.value = null;
}

function clear(all: readonly Picture[]): void {
  remove(all.map(({ id }) => id));
  announcement.value = STRINGS.none;
}

/** Arrow up and down go from picture to picture. */
function walkByArrows(event: KeyboardEvent): void {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const list = event.currentTarget as HTMLElement;
  const picks = [...list.querySelectorAll<HTMLButtonElement>("button.pick")];
  const at = picks.findIndex((pick) => pick.closest("li")?.contains(document.activeElement));
  const next = picks[at + (event.key === "ArrowDown" ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.click();
}
