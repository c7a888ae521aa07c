/** What no single file can keep. */

import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const SOURCE = join(dirname(fileURLToPath(import.meta.url)), "..", "src");
const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => ({ name, text: readFileSync(join(SOURCE, name), "utf8") }));

it("nothing turns a text into markup or into a program", () => {
  const ways = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySetInnerHTML|\beval\(|new Function|srcdoc|javascript:/;
  expect(files.filter(({ text }) => ways.test(text)).map(({ name }) => name)).toEqual([]);
});

it("no address of another host stands in the source", () => {
  const found = files.flatMap(({ name, text }) => [...text.matchAll(/https?:\/\/[^\s)"'`]+/g)].map(([address]) => `${name}: ${address}`));
  expect(found.filter((each) => !each.includes("www.w3.org/TR/"))).toEqual([]); // a citation in a comment
});

it("core touches no document", () => {
  const core = files.filter(({ name }) => name.startsWith("core"));
  expect(core.length).toBeGreaterThan(5);
  expect(core.filter(({ text }) => /\b(document|window|HTML\w+)\b/.test(text)).map(({ name }) => name)).toEqual([]);
});

it("files stay short", () => {
  expect(files.filter(({ text }) => text.split("\n").length > 400).map(({ name }) => name)).toEqual([]);
});
