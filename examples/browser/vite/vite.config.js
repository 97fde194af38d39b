export default {
  build: {
    target: "es2022", // `await` at the top of a module
    assetsInlineLimit: 0, // worklet.js stays a file: a strict Content-Security-Policy forbids data: addresses
  },
  optimizeDeps: { exclude: ["emovox"] }, // `vite dev` would move its script away from the files beside it
};
