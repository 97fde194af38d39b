import HtmlWebpackPlugin from "html-webpack-plugin";

export default {
  mode: "production",
  entry: "./src/main.js",
  output: { clean: true },
  plugins: [new HtmlWebpackPlugin({ template: "./src/index.html" })],
  performance: { hints: false }, // the model has more than webpack's 244 kB
};
