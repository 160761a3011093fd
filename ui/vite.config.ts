import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Everything is served from the daemon's own origin under a strict policy: nothing is inlined, nothing is fetched elsewhere.
export default defineConfig({
  plugins: [react()],
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, target: "es2022", sourcemap: false },
  server: { proxy: { "^/(accounts|system|openapi.json|healthz|readyz)": "http://127.0.0.1:8080" } },
});
