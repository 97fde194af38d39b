import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { adviceFor } from "../../src/page/insecure.ts";

test("for a refused microphone, the command serves HTTPS at the address next to it", () => {
  const at = (url: string) => adviceFor(new URL(url));
  const other = at("http://lan.test:8013/");
  assert.equal(other.command, "emovox serve --host 0.0.0.0 --port 8013 --ssl-cert cert.pem --ssl-key key.pem");
  assert.equal(other.host, "lan.test:8013");
  assert.equal(other.tunnel, "ssh -N -L 8013:127.0.0.1:8013 lan.test");
  const usual = at("http://lan.test:8000/");
  assert.equal(usual.command, "emovox serve --host 0.0.0.0 --ssl-cert cert.pem --ssl-key key.pem");
  assert.equal(usual.host, "lan.test:8000");
  const plain = at("http://lan.test/"); // without a port browsers look at 80, and at 443 for HTTPS
  assert.match(plain.command, / --port 443 /);
  assert.equal(plain.host, "lan.test");
  assert.equal(plain.tunnel, "ssh -N -L 80:127.0.0.1:80 lan.test");
});

test("every password field is in a form that is submitted, as browsers require", () => {
  const page = readFileSync(new URL("../../src/index.html", import.meta.url), "utf8");
  const forms = [...page.matchAll(/<form method="dialog">.*?<\/form>/gs)].map(([form]) => form);
  const fields = (text: string) => text.match(/type="password"/g)?.length ?? 0;
  assert.ok(fields(page) > 0);
  assert.equal(fields(forms.join("")), fields(page));
  for (const form of forms) assert.equal(form.match(/type="submit"/g)?.length, 1);
});
