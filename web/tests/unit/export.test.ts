import assert from "node:assert/strict";
import { test } from "node:test";
import { csvText } from "../../src/export/csv.ts";
import { stem } from "../../src/export/download.ts";
import { jsonText } from "../../src/export/json.ts";
import type { Row } from "../../src/recogniser/protocol.ts";

const ROW: Row = {
  file: 'a "quoted", name.wav',
  duration: 14,
  label: null,
  confidence: 0.440049,
  scores: { neutral: 0.440049, sad: 0.559951 },
  shares: { sad: 1 },
  warnings: [
    { code: "uncertain", message: "not sure" },
    { code: "clipped", message: "too loud" },
  ],
  segments: [
    { start: 0.7, end: 4.140000000000001, channel: 1, label: "sad", confidence: 1, scores: { neutral: 0, sad: 1 } },
  ],
};

test("the CSV has the columns and the numbers of emovox predict --format csv", () => {
  assert.equal(
    csvText([ROW], ["neutral", "sad"]),
    [
      "file,row,start,end,channel,label,confidence,neutral,sad,warnings,error",
      '"a ""quoted"", name.wav",file,0.0,14.0,,,0.44,0.44,0.56,uncertain clipped,',
      '"a ""quoted"", name.wav",segment,0.7,4.14,1,sad,1.0,0.0,1.0,,',
      "",
    ].join("\n"),
  );
});

test("without speech the scores are empty cells", () => {
  const text = csvText(
    [{ ...ROW, file: "b.wav", confidence: null, scores: null, warnings: [], segments: [] }],
    ["sad"],
  );
  assert.equal(text.split("\n")[1], "b.wav,file,0.0,14.0,,,,,,");
});

test("a name that begins like a formula is none in a spreadsheet", () => {
  const named = (file: string) =>
    csvText([{ ...ROW, file, segments: [] }], [])
      .split("\n")[1]
      ?.split(",file,")[0];
  assert.equal(named("=1+1.wav"), "'=1+1.wav");
  assert.equal(named("-a.wav"), "'-a.wav");
  assert.equal(named("@a.wav"), "'@a.wav");
  assert.equal(named("a=1.wav"), "a=1.wav");
});

test("a line break in a name is quoted", () => {
  assert.match(csvText([{ ...ROW, file: "a\rb", segments: [] }], []), /\n"a\rb",file,/);
});

test("the JSON is the document of emovox predict --format json, scores with four decimals", () => {
  const document = JSON.parse(jsonText([ROW], { name: "svm", version: "0.1.0" }));
  assert.deepEqual(Object.keys(document), ["model", "results"]);
  assert.deepEqual(document.model, { name: "svm", version: "0.1.0" });
  const [row] = document.results;
  assert.deepEqual(Object.keys(row), Object.keys(ROW));
  assert.deepEqual([row.confidence, row.scores.sad, row.segments[0].end], [0.44, 0.56, 4.14]);
});

test("modalities and lines are rounded, too", () => {
  const scores = { neutral: 0.440049, sad: 0.559951 };
  const line = { start: 0.7, end: 4.1, text: "no", label: "sad", confidence: 0.559951, scores, speaker: null };
  const silent = { ...line, label: null, confidence: null, scores: null };
  const segments = ROW.segments.map((segment) => ({ ...segment, modalities: { voice: scores, face: scores } }));
  const full: Row = { ...ROW, segments, modalities: { voice: scores }, lines: [line, silent] };
  const [row] = JSON.parse(jsonText([full], { name: "svm", version: "0.1.0" })).results;
  assert.deepEqual(row.modalities, { voice: { neutral: 0.44, sad: 0.56 } });
  assert.equal(row.segments[0].modalities.face.sad, 0.56);
  assert.deepEqual([row.lines[0].confidence, row.lines[0].scores.sad, row.lines[1].scores], [0.56, 0.56, null]);
});

test("downloads are named after the recording", () => {
  assert.equal(stem("/tmp/a.b.wav"), "a.b");
  assert.equal(stem(".wav"), "emovox");
  assert.equal(stem("录音.m4a"), "录音");
});
