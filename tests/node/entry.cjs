// What is bundled into clients.cjs: the usual gRPC client of Node, and a reader that ts-proto generated.
module.exports = {
  grpc: require("@grpc/grpc-js"),
  protoLoader: require("@grpc/proto-loader"),
  tsProto: require("./generated/vestibule/v1/runtime_service.ts"),
};
