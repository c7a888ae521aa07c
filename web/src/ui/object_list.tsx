/** What was counted: the objects, the largest first. */

import type { Objects } from "../core/answer";
import { decimal, grouped, measured } from "../core/numbers";
import { STRINGS, moreWords } from "../strings";

const MOST_ROWS = 200;

export function ObjectList({ objects }: { objects: Objects }) {
  const rows = [...objects.rows].sort((one, other) => other.pixels - one.pixels || one.id - other.id);
  const unit = rows.find(({ area }) => area !== null)?.area?.unit;
  const hasScores = rows.some(({ score }) => score !== null);
  if (rows.length === 0) return null;
  return (
    <details class="objects">
      <summary>
        {STRINGS.objects} ({grouped(rows.length)})
      </summary>
      <div class="table" role="region" aria-label={STRINGS.objects} tabIndex={0}>
        <table>
          <caption class="unseen">{STRINGS.objects}</caption>
          <thead>
            <tr>
              <th scope="col">{STRINGS.object}</th>
              <th scope="col">{STRINGS.pixels}</th>
              {unit !== undefined && (
                <th scope="col">
                  {STRINGS.area}, {unit}
                </th>
              )}
              {hasScores && <th scope="col">{STRINGS.score}</th>}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, MOST_ROWS).map(({ id, className, pixels, area, score }) => (
              <tr key={id}>
                <th scope="row">
                  {id} {className}
                </th>
                <td>{grouped(pixels)}</td>
                {unit !== undefined && <td>{area ? measured(area.value) : ""}</td>}
                {hasScores && <td>{score === null ? "" : decimal(score, 2)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > MOST_ROWS && <p class="quiet">{moreWords(rows.length - MOST_ROWS)}</p>}
    </details>
  );
}
