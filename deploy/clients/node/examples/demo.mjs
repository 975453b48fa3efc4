// Decides logins of the demo: node demo.mjs HOST:PORT EVENT.json...
import { readFileSync } from "node:fs";
import { Client } from "@vestibule/client";

const [target, ...events] = process.argv.slice(2);
const vestibule = new Client(target);
for (const path of events) {
  const { step } = await vestibule.decide("acme", JSON.parse(readFileSync(path, "utf8")));
  console.log(JSON.stringify(step));
}
vestibule.close();
