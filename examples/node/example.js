// node example.js [ADDRESS]: a convolution in each manner, and an error.
import { Client, explain } from "./client.js";

const client = new Client(process.argv[2] ?? "127.0.0.1:50051");
const signal = Float32Array.of(1, 2, 3, 4, 5);
const echo = Float32Array.of(1, 0, 0.5);

console.log("one call:", ...(await client.convolve(signal, echo)));

async function* microphone() {
  yield signal.subarray(0, 3);
  yield signal.subarray(3);
}
for await (const output of client.stream(microphone(), echo)) console.log("live:", ...output);

const whole = [];
for await (const output of client.stream([signal], echo, signal.length)) whole.push(...output);
console.log("whole:", ...whole);

try {
  await client.convolve(signal, new Float32Array(0));
} catch (error) {
  const { status, reason, argument, came, wanted, fields } = explain(error);
  console.log(`${status} (${reason}): ${argument}: got ${came}; want ${wanted}`);
  console.log("in the request:", ...fields);
}
client.close();
