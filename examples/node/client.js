// A client of convolved for Node.js. It knows the service from its .proto file, and nothing else.
// Signals and impulse responses are Float32Arrays of one channel.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../../proto/convolved/v1/convolution.proto", import.meta.url));
const contract = grpc.loadPackageDefinition(loader.loadSync(PROTO, { longs: Number, enums: String }));

// What google/rpc/status.proto and error_details.proto say of an error's details.
const field = (type, id, rest) => ({ type, id, ...rest });
const message = (fields) => ({ fields });
const rpc = loader.fromJSON({ nested: { google: { nested: { rpc: { nested: {
  Status: message({ details: field("Any", 3, { rule: "repeated" }) }),
  Any: message({ typeUrl: field("string", 1), value: field("bytes", 2) }),
  ErrorInfo: message({ reason: field("string", 1), metadata: field("string", 3, { keyType: "string" }) }),
  BadRequest: message({ fieldViolations: field("FieldViolation", 1, { rule: "repeated" }) }),
  FieldViolation: message({ field: field("string", 1), description: field("string", 2) }),
} } } } } });

const bytes = (floats) => Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);
const floats = (bytes) => new Float32Array(Uint8Array.from(bytes).buffer);
const tensor = (shape, data) => ({ dataType: "DATA_TYPE_FLOAT32", shape, data: bytes(data) });
const fir = (taps) => ({ inline: { layers: [{ conv: {
  weight: tensor([1, 1, taps.length], taps), flip: true, axes: [{ mode: "PADDING_MODE_FULL" }],
} }] } });

export class Client {
  constructor(address, credentials = grpc.credentials.createInsecure()) {
    this.stub = new contract.convolved.v1.ConvolutionService(address, credentials);
  }

  // The whole convolution in one call, for what fits a message of 4 MiB.
  async convolve(signal, taps, deadline = Date.now() + 30_000) {
    const request = { filter: fir(taps), input: tensor([1, signal.length], signal) };
    const response = await new Promise((resolve, reject) =>
      this.stub.Convolve(request, { deadline }, (error, got) => (error ? reject(error) : resolve(got))));
    return floats(response.output.data);
  }

  // The convolution of blocks as they come, each of at most 262,144 samples; yields the output as it
  // comes. Live: all that a block fixes, at once. With the total, the server may choose the moment.
  async *stream(blocks, taps, totalSamples = undefined) {
    const call = this.stub.StreamConvolve();
    const send = async (sent) => call.write(sent) || once(call, "drain");
    const sending = (async () => {
      await send({ start: { filter: fir(taps), dataType: "DATA_TYPE_FLOAT32", frameShape: [1], totalSamples } });
      let offset = 0;
      for await (const block of blocks) {
        await send({ block: { offset, data: bytes(block) } });
        offset += block.length;
      }
      await send({ end: { totalSamples: offset } });
      call.end();
    })().catch((error) => call.destroy(error));
    let complete = false;
    try {
      for await (const { output, finished } of call) {
        if (output?.data?.length) yield floats(output.data);
        complete ||= Boolean(finished);
      }
      await sending;
    } finally {
      call.cancel();
    }
    if (!complete) throw new Error("the stream was lost: it ended without Finished");
  }

  close() {
    this.stub.close();
  }
}

// What an error says beside its text: what is wrong, what came, what would do, and in which field.
export function explain(error) {
  const [packed] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const details = packed ? rpc["google.rpc.Status"].deserialize(packed).details : [];
  const told = Object.fromEntries(details.map(({ typeUrl, value }) => {
    const name = typeUrl.split("/").pop();
    return [name, rpc[name]?.deserialize(value)];
  }));
  const { reason, metadata } = told["google.rpc.ErrorInfo"] ?? {};
  const fields = told["google.rpc.BadRequest"]?.fieldViolations.map((violation) => violation.field);
  return { status: grpc.status[error.code], reason, ...metadata, fields };
}
