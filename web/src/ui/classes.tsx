/** What was found: a row per class, confidence, warnings, time, download. */

import type { Answer, ClassRow } from "../core/answer";
import { grouped, measured, percent } from "../core/numbers";
import { STRINGS, timeWords } from "../strings";
import { ObjectList } from "./object_list";
import { downloadOne, hiddenClasses, liveSource, selected, shownAnswer, toggleClass } from "./state";

export function Classes() {
  const answer = shownAnswer.value;
  if (!answer) {
    return (
      <section class="panel right" aria-label={STRINGS.classes}>
        <p class="quiet">{STRINGS.nothingYet}</p>
      </section>
    );
  }
  const picture = liveSource.value === null ? selected.value : null;
  const counts = answer.objects?.counts;
  const unit = answer.classes.find(({ area }) => area !== null)?.area?.unit;
  return (
    <section class="panel right" aria-label={STRINGS.classes}>
      <Warnings answer={answer} />
      <div class="table">
        <table>
          <caption class="unseen">{STRINGS.classes}</caption>
          <thead>
            <tr>
              <th scope="col">{STRINGS.class}</th>
              <th scope="col">{STRINGS.pixels}</th>
              <th scope="col">{STRINGS.share}</th>
              {counts && <th scope="col">{STRINGS.objects}</th>}
              {unit !== undefined && (
                <th scope="col">
                  {STRINGS.area}, {unit}
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {answer.classes.map((row) => (
              <ClassLine key={row.id} answer={answer} row={row} unit={unit} />
            ))}
          </tbody>
        </table>
      </div>
      {answer.objects && <ObjectList objects={answer.objects} />}
      <dl>
        {answer.confidence !== null && (
          <>
            <dt>{STRINGS.confidence}</dt>
            <dd>
              {percent(answer.confidence)} <span class="quiet">{STRINGS.confidenceMeans}</span>
            </dd>
          </>
        )}
        <dt>{STRINGS.model}</dt>
        <dd>
          {answer.model.name} <span class="version">{answer.model.version}</span>
        </dd>
        <dt>{STRINGS.time}</dt>
        <dd>{timeWords(answer.seconds)}</dd>
      </dl>
      {picture && (
        <button type="button" class="main" onClick={() => downloadOne(picture)}>
          {STRINGS.download}
        </button>
      )}
    </section>
  );
}

function ClassLine({ answer, row, unit }: { answer: Answer; row: ClassRow; unit: string | undefined }) {
  const shown = !hiddenClasses(answer).has(row.id);
  return (
    <tr>
      <th scope="row">
        <label class="row">
          <input type="checkbox" aria-label={`${STRINGS.show} ${row.name}`} checked={shown} onChange={() => toggleClass(answer, row.id)} />
          <span class="swatch" aria-hidden="true" style={{ backgroundColor: row.color }} />
          <span class="name">{row.name}</span>
        </label>
      </th>
      <td>{grouped(row.pixels)}</td>
      <td>{percent(row.share)}</td>
      {answer.objects && <td>{Object.hasOwn(answer.objects.counts, row.name) ? grouped(answer.objects.counts[row.name] ?? 0) : ""}</td>}
      {unit !== undefined && <td>{row.area ? `${measured(row.area.value)}${row.area.unit === unit ? "" : ` ${row.area.unit}`}` : ""}</td>}
    </tr>
  );
}

function Warnings({ answer }: { answer: Answer }) {
  if (answer.warnings.length === 0) return null;
  return (
    <div class="warnings">
      <h2>{STRINGS.warnings}</h2>
      <ul>
        {answer.warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </div>
  );
}
