/** The licences of everything that ends up in the built page, as one text file beside it. */

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

/** Folders of packages, `node_modules/<name>` or `node_modules/@<scope>/<name>`, in the path of a bundled module. */
const PACKAGE = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//;

export function thirdParty(): Plugin {
  return {
    name: "third-party-licences",
    generateBundle(_options, bundle) {
      const folders = new Map<string, string>();
      for (const file of Object.values(bundle)) {
        if (file.type !== "chunk") continue;
        for (const id of file.moduleIds) {
          const found = PACKAGE.exec(id.replaceAll("\\", "/"));
          if (found?.[1] && found[2]) folders.set(found[2], found[1]);
        }
      }
      const texts = [...folders].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, folder]) => licenceOf(name, folder));
      const head = "The page of Limner contains the following packages. Their licences:\n";
      this.emitFile({ type: "asset", fileName: "THIRD_PARTY.txt", source: [head, ...texts].join(`\n${"-".repeat(78)}\n\n`) });
    },
  };
}

function licenceOf(name: string, folder: string): string {
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>;
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${name} ${version} has no licence file, so the page may not carry it`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
}
