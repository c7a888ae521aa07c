import { defineConfig } from "vitest/config";
import { thirdParty } from "./licences.ts";

export default defineConfig({
  base: "/",
  plugins: [thirdParty()],
  build: {
    outDir: "../src/limner/server/static",
    emptyOutDir: true,
    sourcemap: false,
    assetsInlineLimit: 0, // data: addresses would need more room in the content security policy
    modulePreload: { polyfill: false },
    target: "es2022",
    license: false,
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8000" } },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
});
