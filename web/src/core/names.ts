/** Names of downloads: `<stem>.png`; pictures of one stem keep their suffix (`a.jpg.png`), as `limner predict` names its files. */

/** The name without folders and without its last suffix. */
export function stem(name: string): string {
  const base = lastPart(name);
  const dot = base.lastIndexOf(".");
  return dot > 0 ? base.slice(0, dot) : base;
}

function lastPart(name: string): string {
  return name.split(/[\\/]/).at(-1) ?? name;
}

/** One file name per picture, in the same order; all different, without characters that a file system refuses. */
export function downloadNames(pictures: readonly string[]): string[] {
  const stems = pictures.map((name) => clean(stem(name)).toLowerCase());
  const count = new Map<string, number>();
  for (const each of stems) count.set(each, (count.get(each) ?? 0) + 1);
  const used = new Set<string>();
  return pictures.map((name, index) => {
    const shared = (count.get(stems[index] ?? "") ?? 0) > 1;
    const wanted = clean(shared ? lastPart(name) : stem(name));
    let found = `${wanted}.png`;
    for (let copy = 2; used.has(found.toLowerCase()); copy++) found = `${wanted}-${copy}.png`;
    used.add(found.toLowerCase());
    return found;
  });
}

/** Control characters and those that Windows forbids become `_`; at most 120 characters; never empty. */
function clean(name: string): string {
  const safe = name.replace(/[\u0000-\u001f\u007f<>:"/\\|?*]/g, "_").replace(/^[. ]+|[. ]+$/g, "").slice(0, 120);
  return safe === "" ? "mask" : safe;
}
